"""What the Events and State service says, read into states of devices (connectors.md 4.6). Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources

import msgspec
from msgspec import Struct

from tocsin.engine.systems import ProtocolFault
from tocsin.model.inventory import Basis, FoundState, HealthState, Reason
from tocsin.systems.milestone.joining import KINDS, Identity, Topology
from tocsin.systems.milestone.moments import instant, moment
from tocsin.systems.milestone.resources import EventType, guid


class Occurred(Struct, frozen=True, gc=False):
    """An event. `source` is `resourceType/guid`."""

    type: str
    source: str
    time: str = ""
    id: str = ""


class Standing(Struct, frozen=True, gc=False):
    """A state, as the event that began it; its time is read with the frame, since a large site has very many."""

    type: str
    source: str
    time: datetime | None = None
    """None where it cannot be read; without an offset it is of the site's own zone."""


_decode_occurred = msgspec.json.Decoder(Occurred).decode


class FrameError(Struct, frozen=True, rename="camel"):
    error_text: str = ""


class _Raw(Struct, frozen=True, rename="camel"):
    command_id: int | None = None
    status: int | None = None
    session_id: str | None = None
    states: list[msgspec.Raw] | None = None
    events: list[msgspec.Raw] | None = None
    error: FrameError | None = None


class _Plain(Struct, frozen=True, rename="camel"):
    """A frame all of whose events can be read: one with the states of a large site has tens of megabytes."""

    command_id: int | None = None
    status: int | None = None
    session_id: str | None = None
    states: tuple[Standing, ...] | None = None
    events: tuple[Occurred, ...] | None = None
    error: FrameError | None = None


class Frame(Struct, frozen=True):
    """One text frame: an answer carries `command_id`, a push carries `events`."""

    command_id: int | None = None
    status: int | None = None
    session_id: str | None = None
    states: Sequence[Standing] | None = None
    events: Sequence[Occurred] | None = None
    error: FrameError | None = None


class Meaning(Struct, frozen=True):
    """`name` is the type's name, lower case without blanks, by which it is known where its GUID is another."""

    name: str
    state: HealthState
    reason: Reason


MEANINGS: Mapping[str, Meaning] = msgspec.json.decode(
    resources.files(__package__).joinpath("state_events.json").read_bytes(), type=dict[str, Meaning]
)
"""By event type: the GUIDs are fixed in the vendor's samples."""
_plain = msgspec.json.Decoder(_Plain).decode
_SUFFIX = re.compile(r"(\(?(device|hardware|recordingserver)\)?)$")
_INHERITED: Mapping[str, tuple[HealthState, Reason]] = {
    "hardware": ("offline", "hardware_error"),
    "recorder": ("unknown", "parent_unknown"),
}
"""What it means for the channels when this kind is offline (rules 2 and 3)."""
_FAILED = ("offline", "disabled")
"""What `_state` makes of an outage."""
ByKind = Mapping[str, Mapping[str, FoundState]]
"""States by kind and native key."""
Back = tuple[datetime, HealthState]
"""Since when a box or recording server is back, and what its outage said of its channels."""


def read_frame(data: str | bytes) -> Frame:
    """An event that cannot be read is left out. Raises ProtocolFault for what is no frame."""
    try:
        plain = _plain(data)
        return Frame(plain.command_id, plain.status, plain.session_id, plain.states, plain.events, plain.error)
    except msgspec.ValidationError:
        return _read_one_by_one(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault(f"the Events and State service sends what cannot be read: {error}") from None


def _read_one_by_one(data: str | bytes) -> Frame:
    try:
        raw = msgspec.json.decode(data, type=_Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolFault(f"the Events and State service sends what cannot be read: {error}") from None
    states, events = _occurred(raw.states), _occurred(raw.events)
    standing = None if states is None else [Standing(one.type, one.source, moment(one.time)) for one in states]
    return Frame(raw.command_id, raw.status, raw.session_id, standing, events, raw.error)


def read_occurred(item: object) -> Occurred | None:
    try:
        return msgspec.convert(item, Occurred)
    except msgspec.ValidationError:
        return None


def meanings_with(types: Iterable[EventType]) -> dict[str, Meaning]:
    """The fixed ones, and those the server has under the same name with another GUID."""
    by_name = {meaning.name: meaning for meaning in MEANINGS.values()}
    found = dict(MEANINGS)
    for one in types:
        for written in (one.name, one.display_name):
            name = _SUFFIX.sub("", re.sub(r"[\s_-]", "", written.lower()))
            if name in by_name:
                found.setdefault(one.key, by_name[name])
    return found


def states_of(
    one: Occurred | Standing, meanings: Mapping[str, Meaning], topology: Topology, zone: str, basis: Basis
) -> Sequence[FoundState]:
    """The state of the device it is about; a box or a recording server that fails takes its channels with it."""
    own = _own_state(one, meanings, topology, zone, basis)
    return () if own is None else (own, *_inherited(own, topology))


def settled(found: Iterable[FoundState]) -> ByKind:
    """One state for each device: the newest, and at the same time its own rather than its box's."""
    newest: dict[str, dict[str, FoundState]] = {}
    for one in found:
        of_kind = newest.get(one.kind)
        if of_kind is None:
            of_kind = newest[one.kind] = {}
        known = of_kind.setdefault(one.native_key, one)
        if known is not one and _rank(one) > _rank(known):
            of_kind[one.native_key] = one
    return newest


def snapshot_of(
    said: Iterable[Standing], meanings: Mapping[str, Meaning], topology: Topology, zone: str, kinds: Collection[str]
) -> list[FoundState]:
    """The state of every device of these kinds, from all that `getState` answered. Before the first inventory these
    are all it tells of; afterwards one that the last inventory has not found is no device of ours.
    """
    own = [state for one in said if (state := _own_state(one, meanings, topology, zone, "state_snapshot")) is not None]
    parents = [state for state in own if state.kind in _INHERITED]
    found = settled([*own, *(child for state in parents for child in _inherited(state, topology))])
    if next(topology.devices(), None) is None:
        return [one for kind in sorted(kinds) for one in found.get(kind, {}).values()]
    back = _back(found)
    return [one for kind in sorted(kinds) for one in confirmed(kind, found.get(kind, {}), back, topology)]


def confirmed(
    kind: str, found: Mapping[str, FoundState], back: Mapping[str, Back], topology: Topology
) -> Iterator[FoundState]:
    """What is known of each device of a kind of the last inventory.

    A box or recording server that came back speaks for its channels from then on: otherwise what they were before
    would never again count for more than what its outage said of them.
    """
    for box, keys in topology.by_box(kind).items():
        known = [found.get(key) or _silent((kind, key), topology) for key in keys]
        returned = [back[above] for above in (box, topology.boxes.get(box, "")) if above in back]
        last = max((since for since, _ in returned), default=None)
        if last is None:
            yield from known
        else:
            yield from [own if own.since is None or own.since >= last else _confirmed(own, returned) for own in known]


def _confirmed(own: FoundState, returned: Sequence[Back]) -> FoundState:
    for since, told in returned:
        if own.since is not None and own.since < since and own.state != told:
            own = msgspec.structs.replace(own, since=since)
    return own


def heals(state: FoundState) -> bool:
    """Whether channels may be well again although nothing is said of them."""
    return state.kind in _INHERITED and state.state == "online"


def _occurred(items: Sequence[msgspec.Raw] | None) -> Sequence[Occurred] | None:
    """Each by itself: decoded as one, a large site's states would stop everything meanwhile, threads too."""
    if items is None:
        return None
    return tuple(read for item in items if (read := _decoded(item)) is not None)


def _decoded(item: msgspec.Raw) -> Occurred | None:
    try:
        return _decode_occurred(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _rank(state: FoundState) -> tuple[float, bool]:
    return (state.since.timestamp() if state.since is not None else 0.0, state.basis != "inherited")


def identity_of(source: str) -> Identity | None:
    """Of `resourceType/guid`; None for what is no device."""
    resource, _, key = source.rpartition("/")
    kind = KINDS.get(resource)
    if kind is None or not key:
        resource, _, key = source.strip("/").rpartition("/")
        kind = KINDS.get(resource.rpartition("/")[2].lower())
    identity = guid(key)
    return None if kind is None or not identity else (kind, identity)


def _own_state(
    one: Occurred | Standing, meanings: Mapping[str, Meaning], topology: Topology, zone: str, basis: Basis
) -> FoundState | None:
    """Of the device itself; a large site has very many, so each costs few calls."""
    meaning = meanings.get(one.type) or meanings.get(guid(one.type))
    identity = identity_of(one.source)
    if meaning is None or identity is None:
        return None
    since = one.time
    if not isinstance(since, datetime) or since.tzinfo is not UTC:
        since = instant(since, zone)
    if meaning.state == "offline":
        return _state(identity, meaning.state, meaning.reason, topology, basis, since)
    return FoundState(identity[0], identity[1], meaning.state, meaning.reason, basis, since)


def _inherited(own: FoundState, topology: Topology) -> Iterator[FoundState]:
    """What the failure of a box or a recording server means for its channels."""
    if own.state in _FAILED and own.kind in _INHERITED:
        for child in topology.children((own.kind, own.native_key)):
            yield _state(child, *_INHERITED[own.kind], topology, "inherited", own.since)


def _state(
    identity: Identity,
    state: HealthState,
    reason: Reason,
    topology: Topology,
    basis: Basis,
    since: datetime | None,
) -> FoundState:
    if state == "offline" and identity in topology.disabled:
        state, reason = "disabled", "disabled"
    return FoundState(identity[0], identity[1], state, reason, basis, since)


def _back(found: ByKind) -> Mapping[str, Back]:
    """The boxes and recording servers that are back, by key."""
    return {
        key: (one.since, told)
        for kind, (told, _) in _INHERITED.items()
        for key, one in found.get(kind, {}).items()
        if one.state == "online" and one.since is not None
    }


def _silent(identity: Identity, topology: Topology) -> FoundState:
    """A device the system says nothing about is unknown, not offline (rule 1)."""
    if identity in topology.disabled:
        return FoundState(*identity, "disabled", "disabled", "state_snapshot")
    return FoundState(*identity, "unknown", "never_reported", "state_snapshot")
