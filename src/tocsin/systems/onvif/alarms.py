"""From a device's message to an event for the intake. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.engine.event_times import ABSURD, system_time
from tocsin.model.event import NOWHERE, Event, Place
from tocsin.model.kinds import State
from tocsin.systems.onvif.device import SKEW_TAKEN_S
from tocsin.systems.onvif.facts import Notification
from tocsin.systems.onvif.found import Camera
from tocsin.systems.onvif.meaning import Meaning

_SOURCES = ("VideoSourceToken", "VideoSourceConfigurationToken", "VideoSource", "Source")
MOST_REMEMBERED = 2000


class Sender(Struct, frozen=True):
    """The device a message came from. `configurations` names the video source behind each of its configurations."""

    system: str
    key: str
    area: str
    cameras: tuple[Camera, ...]
    configurations: dict[str, str]


class Changes:
    """What each thing a device tells was last: only changes become events, though a device repeats itself after each
    new subscription.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, tuple[tuple[str, str], ...]], bool] = {}

    def is_new(self, notification: Notification, active: bool | None) -> bool:
        """What never was before and is not so now is no change; what has no end always is one, unless repeated."""
        key = (notification.topic, notification.source)
        if active is None:
            return notification.operation != "Initialized"
        before = self._last.get(key, False)
        if key in self._last or len(self._last) < MOST_REMEMBERED:
            self._last[key] = active
        return before is not active


def submission(sender: Sender, said: Notification, means: Meaning, offset: timedelta, now: datetime) -> Submission:
    """`offset` is how far the device's clock is ahead of the gateway's."""
    occurred, flags = _occurred(said.at, offset, now)
    state: State = "restore" if means.active is False else "new"
    return Submission(
        Event(
            id="",
            kind=means.kind,
            state=state,
            occurred_at=occurred,
            accepted_at=now,
            source=sender.system,
            device_id=_device_id(sender, said),
            place=Place(area=sender.area) if sender.area else NOWHERE,
            actors=means.actors if state == "new" else (),
            text=_text(sender, said, means),
            flags=flags,
        )
    )


def wanted(means: Meaning | None, kinds: Collection[str]) -> bool:
    return means is not None and means.kind in kinds


def _occurred(at: datetime | None, offset: timedelta, now: datetime) -> tuple[datetime, tuple[str, ...]]:
    """The device's own time, less what its clock is known to be ahead."""
    if at is None:
        return now, ()
    skewed = abs(offset.total_seconds()) > SKEW_TAKEN_S
    try:
        at = at - offset if skewed else at
    except OverflowError:
        return now, ABSURD
    at, flags = system_time(at, now)
    return at, ("clock_skew",) if skewed and not flags else flags


def _device_id(sender: Sender, said: Notification) -> str:
    """The camera it is about; the device where it has several and does not say which."""
    tokens = [value for name, value in said.source if name in _SOURCES]
    sources = {sender.configurations.get(token, token) for token in tokens}
    named = [one for one in sender.cameras if one.source in sources]
    if not named and len(sender.cameras) == 1:
        named = list(sender.cameras)
    return f"{sender.system}:camera:{named[0].native_key}" if named else f"{sender.system}:device:{sender.key}"


def _text(sender: Sender, said: Notification, means: Meaning) -> str:
    where = _items(said.source, ("InputToken", "RelayToken", "Rule", "Token"))
    return ", ".join(filter(None, (means.name, where)))[:300]


def _items(items: Sequence[tuple[str, str]], names: Collection[str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in items if name in names and value)
