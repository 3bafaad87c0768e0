"""Orders to devices, and whether a device is armed (stations.md 1.5, 12)."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Order = Literal["siren", "stop_siren", "arm", "disarm"]
CommandState = Literal["requested", "sent", "confirmed", "failed", "expired"]
OPEN_COMMANDS: frozenset[str] = frozenset({"requested", "sent"})
ARMING_ORDERS: frozenset[str] = frozenset({"arm", "disarm"})
PAIRS: tuple[tuple[Order, Order], ...] = (("siren", "stop_siren"), ("arm", "disarm"))
"""Of each pair the later order replaces what the device has not fetched yet."""


class Parameters(Struct, frozen=True, omit_defaults=True):
    """What belongs to an order. `audio` and `duration_s` are of a siren; `until` and `no_time_limit` of a disarm.

    `until`: the device arms itself again then; None: when it is told to. `no_time_limit`: also past a saved schedule.
    """

    audio: str = ""
    duration_s: int | None = None
    until: datetime | None = None
    no_time_limit: bool = False


class Command(Struct, frozen=True, omit_defaults=True):
    """One order to one device.

    `request_id` is shared by the commands of one order to an area; else it is `id`. A device must have fetched it
    before `expires_at`. `requested_by` is a token, `control:` and a user, a schedule, or the gateway.
    """

    id: str
    request_id: str
    device_id: str
    order: Order
    requested_at: datetime
    expires_at: datetime
    requested_by: str
    source_address: str = ""
    parameters: Parameters = Parameters()
    idempotency_key: str = ""
    state: CommandState = "requested"
    sent_at: datetime | None = None
    ended_at: datetime | None = None
    result: str = ""

    @property
    def takes_result(self) -> bool:
        """Fetched, and not ended by the device itself: what a late result says is still true."""
        return self.state == "sent" or (self.state == "expired" and self.sent_at is not None)


class Arming(Struct, frozen=True):
    """A device as its last confirmed order left it. Disarmed: from `since` to `until`; None: without end.

    Without any such order a device is armed (stations.md 1.5).
    """

    device_id: str
    armed: bool
    since: datetime
    until: datetime | None = None
    no_time_limit: bool = False
    changed_by: str = ""

    def disarmed_at(self, now: datetime) -> bool:
        return not self.armed and self.since <= now and (self.until is None or now < self.until)


def pair_of(order: Order) -> tuple[Order, Order]:
    return PAIRS[0] if order in PAIRS[0] else PAIRS[1]
