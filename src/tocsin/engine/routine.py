"""At most one routine check per device and period (stations.md 10).

What went last is kept in memory only, and noted only once it is on disk: whatever is lost, at a restart or when a
commit fails, makes one more routine check go out, never one less.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tocsin.engine.devices import DeviceBook
from tocsin.engine.plans import Planned, planned
from tocsin.engine.routing import RoutineRule, Verdict
from tocsin.model.delivery import OPEN_STATES, Owed
from tocsin.model.event import ON_TEST, Event

KIND = "routine_check"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST = 200_000
"""Devices times destinations."""

Moments = tuple[datetime, datetime]
"""When a check occurred and when it was accepted."""
Sent = dict[tuple[str, str, str], Moments]
"""By destination, source of panels and device: the last one that went."""


class RoutineChecks:
    """What each device last sent where."""

    def __init__(self, devices: DeviceBook) -> None:
        self._devices = devices
        self._last: Sent = {}

    def thinned(self, event: Event, shares: Sequence[Planned], batch: Sent) -> Sequence[Planned]:
        """The shares of a routine check, filtered where one went not long ago. `batch`: sent with this one."""
        return [self._share(event, share, batch) for share in shares]

    def kept(self, event: Event, owed: Sequence[Owed]) -> None:
        """A routine check is on disk."""
        for one in owed:
            if _goes(one, event):
                key = _key(one.destination, event)
                self._last.pop(key, None)
                self._last[key] = _moments(event)
        while len(self._last) > MOST:
            del self._last[next(iter(self._last))]

    def _share(self, event: Event, share: Planned, batch: Sent) -> Planned:
        rule = share.route.filter.routine_checks
        if rule in ("all", "off") or not share.verdict.yes or event.state != "new":
            return share
        key = _key(share.route.name, event)
        period = self._period(rule, event)
        last = batch.get(key) or self._last.get(key)
        if last is not None and _soon(last, _moments(event), period - slack(period)):
            sent = f"{subject_of(event)} sent one at {last[0]:%H:%M:%S} UTC"
            reason = f"filter.routine_checks: {sent}, at most one per {period / HOUR:g} h"
            return planned(share.route, Verdict(share.route.name, False, reason), event)
        if _goes(share.owed, event):
            batch[key] = _moments(event)
        return share

    def _period(self, rule: RoutineRule, event: Event) -> timedelta:
        if rule != "period":
            return DAY if rule == "daily" else HOUR
        device = self._devices.get(event.device_id)
        return HOUR if device is None or not device.routine_s else timedelta(seconds=device.routine_s)


def _goes(owed: Owed, event: Event) -> bool:
    """Whether the station hears that the device is well: what is sent as a test it may leave out."""
    tested = ON_TEST in event.flags or f"{ON_TEST}:{owed.destination}" in event.flags
    return owed.state in OPEN_STATES and not tested


def _key(destination: str, event: Event) -> tuple[str, str, str]:
    """Two receivers may each have a panel of the same account; devices have one name everywhere."""
    return destination, "" if event.device_id else event.source, subject_of(event)


def _moments(event: Event) -> Moments:
    return event.occurred_at, event.accepted_at


def _soon(last: Moments, this: Moments, least: timedelta) -> bool:
    """By both clocks: neither one that was set nor a check that came late may cost the next one."""
    return all(abs(now - then) < least for then, now in zip(last, this, strict=True))


def slack(period: timedelta) -> timedelta:
    """A check that comes a little early is the next period's, else a device that runs fast would lose every other."""
    return min(period / 12, timedelta(minutes=10))


def subject_of(event: Event) -> str:
    """Who checks in: a device, or a panel by its account."""
    return event.device_id or (str(event.address) if event.address else event.source)
