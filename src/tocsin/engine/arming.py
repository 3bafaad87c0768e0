"""Armed or disarmed: what it means for events, when a disarm ends, and what the schedule orders (stations.md 1.5).

Disarming switches off the primary function only: the PIR of a detector, the sound of a siren. Tamper and all the rest
keeps alarming. Motion of a disarmed device is kept and not forwarded; wherever there is doubt it is forwarded:
motion from before the disarm, from after its end though the device has not confirmed to be armed again, and
from the moment the device has fetched an order to arm.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.arming_schedule import Phase
from tocsin.model.command import Arming, Order
from tocsin.model.event import Event
from tocsin.store.contract import Store

BY_SCHEDULE = "the schedule"
BY_PERIOD = "the end of the disarm"


class Armings:
    """Devices that were ever armed or disarmed, in memory; the store keeps them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._armings: dict[str, Arming] = {}

    async def load(self) -> None:
        self._armings = {arming.device_id: arming for arming in await self._store.armings()}

    def get(self, device_id: str) -> Arming | None:
        return self._armings.get(device_id)

    def put(self, arming: Arming) -> None:
        """As the store has it already."""
        self._armings[arming.device_id] = arming

    def end_disarm(self, device_id: str, now: datetime) -> None:
        """The device has fetched its order to arm."""
        arming = self._armings.get(device_id)
        if arming is not None and arming.disarmed_at(now):
            self._armings[device_id] = replace(arming, until=now)

    def is_disarmed(self, device_id: str, now: datetime) -> bool:
        arming = self._armings.get(device_id)
        return arming is not None and arming.disarmed_at(now)

    def ending(self) -> Sequence[Arming]:
        """Disarms that end by themselves."""
        return [one for one in self._armings.values() if not one.armed and one.until is not None]

    def withheld(self, event: Event) -> str:
        """Why an event is not forwarded; empty: it is."""
        if event.kind != "motion" or event.state == "restore" or event.is_test:
            return ""
        arming = self._armings.get(event.device_id)
        if arming is None or not (arming.disarmed_at(event.accepted_at) and arming.disarmed_at(event.occurred_at)):
            return ""
        until = f" until {arming.until:%Y-%m-%d %H:%M} UTC" if arming.until else ""
        return f"disarmed: by {arming.changed_by}{until}"


def end_of_disarm(now: datetime, duration_s: int | None, no_time_limit: bool, phase: Phase | None) -> datetime | None:
    """When a disarm requested now is over: after its period, or at the next scheduled arming unless it says otherwise.

    The period counts from the request: a device that hears of it late is not disarmed for longer than was asked.
    """
    if no_time_limit:
        return None
    ends = [] if duration_s is None else [now + timedelta(seconds=duration_s)]
    if phase is not None and phase.next_arming is not None:
        ends.append(phase.next_arming)
    return min(ends, default=None)


class DueOrder(Struct, frozen=True):
    """What nobody has to ask for. `at` is when it fell due; it is ordered once for this instant."""

    order: Order
    at: datetime
    by: str
    until: datetime | None = None
    """When the schedule changes again: a disarm ends, an arm is no longer wanted. None: not known."""


def due_order(arming: Arming | None, phase: Phase | None, now: datetime) -> DueOrder | None:
    """The end of a disarm, or a change of the schedule that came after the device's last change. None: nothing."""
    armed = arming is None or arming.armed
    if arming is not None and not armed and arming.until is not None and arming.until <= now:
        return DueOrder("arm", arming.until, BY_PERIOD)
    if phase is None or phase.armed == armed or phase.since is None:
        return None
    if arming is not None and (arming.no_time_limit or arming.since >= phase.since):
        return None
    return DueOrder("arm" if phase.armed else "disarm", phase.since, BY_SCHEDULE, phase.until)
