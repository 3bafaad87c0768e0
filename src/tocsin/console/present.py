"""What the pages show of events, deliveries and destinations. Pure: values in, values for the templates out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.engine.gateway import DestinationStatus
from tocsin.model.delivery import Delivery
from tocsin.model.event import Event
from tocsin.model.kinds import Lane, lane_of
from tocsin.model.wording import headline, local_time, seen

Tone = Literal["alarm", "warn", "good", "info", "calm"]

_ICONS = {
    "tamper": "shield",
    "lid_opened": "shield",
    "routine_check": "heart",
    "snapshot": "camera",
    "video_loss": "camera",
    "critical_battery_shutdown": "battery",
    "battery_low": "battery",
    "battery_restored": "battery",
    "battery_removed": "battery",
    "battery_charging_fault": "battery",
    "battery_charging_normal": "battery",
    "aux_power_lost": "plug",
    "aux_power_found": "plug",
    "armed": "lock",
    "disarmed": "unlock",
    "connection_lost": "link",
    "connection_restored": "link",
    "destination_down": "link",
    "destination_up": "link",
    "supervision_lost": "heart",
    "supervision_restored": "heart",
    "system_started": "server",
    "system_stopped": "server",
    "fire": "fire",
    "medical": "cross",
    "gas": "drop",
    "water": "drop",
    "door_forced": "door",
    "door_held": "door",
    "access_granted": "door",
    "access_denied": "door",
    "test": "check",
    "info": "info",
    "trouble": "warning",
    "bypass": "warning",
}
_MOTION_ICONS = {"person": "person", "vehicle": "car", "": "motion"}
_LOST = frozenset(
    {
        "aux_power_lost",
        "battery_charging_fault",
        "battery_removed",
        "connection_lost",
        "battery_low",
        "system_stopped",
        "destination_down",
        "supervision_lost",
    }
)
_STATE_TONES: dict[str, Tone] = {
    "delivered": "good",
    "rejected": "alarm",
    "expired": "alarm",
    "retrying": "warn",
    "held": "warn",
    "pending": "info",
}
STATE_WORDS = {
    "pending": "on its way",
    "held": "waiting for pictures or classification",
    "retrying": "trying again",
    "delivered": "delivered",
    "rejected": "set aside",
    "expired": "expired",
    "discarded": "discarded",
    "superseded": "superseded",
    "filtered": "not wanted",
}
_LINK_TONES: dict[str, Tone] = {"up": "good", "down": "alarm", "paused": "warn", "starting": "info"}
AGAIN = frozenset({"rejected", "expired", "discarded"})
DROP = frozenset({"pending", "held", "retrying", "rejected"})


class Chip(Struct, frozen=True):
    """A delivery in one word; `id` is its element's."""

    id: str
    key: str
    destination: str
    state: str
    tone: Tone
    words: str
    delivery: Delivery
    again: bool
    drop: bool


class Row(Struct, frozen=True):
    """An event as the list and the detail show it."""

    seq: int
    event: Event
    headline: str
    icon: str
    tone: Tone
    lane: str
    who: str
    where: str
    at: datetime
    zone: str
    chips: Sequence[Chip]
    filtered: Sequence[Chip]


class Card(Struct, frozen=True):
    """A destination."""

    status: DestinationStatus
    tone: Tone
    lanes: Sequence[tuple[str, int]]
    waiting: int


class Summary(Struct, frozen=True):
    """The gateway in one line."""

    tone: Tone
    words: str
    up: int
    destinations: int
    alarms: int
    waiting: int
    oldest: datetime | None
    aside: int


def icon_of(event: Event) -> str:
    return _MOTION_ICONS[seen(event)] if event.kind == "motion" else _ICONS.get(event.kind, "bell")


def tone_of(event: Event) -> Tone:
    if event.state == "restore":
        return "good"
    if event.is_test:
        return "calm"
    lane = lane_of(event.kind)
    if lane is Lane.ALARM:
        return "alarm"
    if lane is Lane.STATUS:
        return "warn" if event.kind in _LOST else "info"
    return "calm"


def chip(delivery: Delivery) -> Chip:
    key = str(delivery.key)
    return Chip(
        id="d-" + key.replace(".", "-"),
        key=key,
        destination=delivery.key.destination,
        state=delivery.state,
        tone=_STATE_TONES.get(delivery.state, "calm"),
        words=STATE_WORDS[delivery.state],
        delivery=delivery,
        again=delivery.state in AGAIN,
        drop=delivery.state in DROP,
    )


def row(seq: int, event: Event, deliveries: Sequence[Delivery]) -> Row:
    chips = [chip(delivery) for delivery in deliveries]
    return Row(
        seq=seq,
        event=event,
        headline=headline(event),
        icon=icon_of(event),
        tone=tone_of(event),
        lane=lane_of(event.kind).label,
        who=_who(event),
        where=event.place.area,
        at=local_time(event),
        zone=event.zone or event.place.time_zone or "UTC",
        chips=[one for one in chips if one.state != "filtered"],
        filtered=[one for one in chips if one.state == "filtered"],
    )


def _who(event: Event) -> str:
    """The device by its name; a destination's own events carry its name as their device."""
    device = event.place.name or event.device_id.removeprefix("destination:")
    return device or (str(event.address) if event.address else event.source)


def card(status: DestinationStatus) -> Card:
    lanes = [(lane.label, status.pending.get(lane.label, 0)) for lane in Lane]
    return Card(status, _LINK_TONES.get(status.state, "calm"), lanes, sum(count for _, count in lanes))


def summary(
    ready: bool, reason: str, statuses: Sequence[DestinationStatus], aside: int, blind: Sequence[str] = ()
) -> Summary:
    """`blind`: systems that cannot be read at the moment."""
    oldest = [status.oldest for status in statuses if status.oldest is not None]
    tone, words = _overall(ready, reason, statuses, blind)
    return Summary(
        tone=tone,
        words=words,
        up=sum(status.state == "up" for status in statuses),
        destinations=len(statuses),
        alarms=sum(status.pending.get("alarm", 0) for status in statuses),
        waiting=sum(sum(status.pending.values()) for status in statuses),
        oldest=min(oldest, default=None),
        aside=aside,
    )


def _overall(ready: bool, reason: str, statuses: Sequence[DestinationStatus], blind: Sequence[str]) -> tuple[Tone, str]:
    down = [status.name for status in statuses if status.state == "down"]
    paused = [status.name for status in statuses if status.state == "paused"]
    if not ready:
        return "alarm", f"Taking no events: {reason}"
    if down:
        return "alarm", f"{down[0]} is down" if len(down) == 1 else f"{len(down)} destinations are down"
    if paused:
        return "warn", f"{paused[0]} is paused" if len(paused) == 1 else f"{len(paused)} destinations are paused"
    if blind:
        return "warn", f"{blind[0]} cannot be read" if len(blind) == 1 else f"{len(blind)} systems cannot be read"
    if not statuses:
        return "warn", "No destination is configured"
    if any(status.state == "starting" for status in statuses):
        return "info", "Ready, some destinations not contacted yet"
    return "good", "All destinations up"
