"""Cameras, boxes and recording servers joined to devices (connectors.md 4.5). Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from tocsin.model.inventory import DeviceType, FoundDevice
from tocsin.systems.milestone.resources import CameraGroup, Channel, DriverSettings, Hardware, RecordingServer

Identity = tuple[str, str]
"""Kind and native key."""

CHANNELS: Mapping[str, tuple[str, DeviceType]] = {
    "cameras": ("camera", "camera"),
    "microphones": ("microphone", "audio"),
    "speakers": ("speaker", "audio"),
    "inputEvents": ("input", "io"),
    "outputs": ("output", "io"),
}
"""By resource: the kind and the type of device."""
KINDS: Mapping[str, str] = {
    **{resource.lower(): kind for resource, (kind, _) in CHANNELS.items()},
    "hardware": "hardware",
    "recordingservers": "recorder",
}
"""By resource type in lower case, as sources of events name it."""
SILENT = DriverSettings()
_POINT = re.compile(r"POINT\s*\(\s*(-?\d{1,3}(?:\.\d+)?)\s+(-?\d{1,3}(?:\.\d+)?)\s*\)", re.IGNORECASE)


class Membership(Struct, frozen=True):
    """A camera group and the cameras in it, by key."""

    group: CameraGroup
    cameras: frozenset[str]


class Reading(Struct, frozen=True):
    """Everything read from the Configuration API in one run. `channels` by resource; `driver` by hardware key."""

    site: str = ""
    recorders: Sequence[RecordingServer] = ()
    hardware: Sequence[Hardware] = ()
    channels: Mapping[str, Sequence[Channel]] = {}
    groups: Sequence[Membership] = ()
    driver: Mapping[str, DriverSettings] = {}


class Topology(Struct, frozen=True):
    """What belongs to what, for states. `channels`: by kind and the key of their box, the keys of what hangs on it;
    `boxes`: by key, that of their recording server. Kept for good, so it holds each key once.
    """

    channels: Mapping[str, Mapping[str, tuple[str, ...]]] = {}
    boxes: Mapping[str, str] = {}
    recorders: Mapping[str, RecordingServer] = {}
    disabled: frozenset[Identity] = frozenset()

    def by_box(self, kind: str) -> Mapping[str, Iterable[str]]:
        """The keys of all devices of a kind, by that of their box; "" for what hangs on none."""
        standing: Mapping[str, Iterable[str]] = {"recorder": self.recorders, "hardware": self.boxes}
        return {"": standing[kind]} if kind in standing else self.channels.get(kind, {})

    def devices(self) -> Iterator[Identity]:
        for kind in ("recorder", "hardware", *self.channels):
            yield from ((kind, key) for keys in self.by_box(kind).values() for key in keys)

    def children(self, parent: Identity) -> Iterator[Identity]:
        """The channels of a box, or of all boxes of a recording server."""
        kind, key = parent
        boxes = [box for box, server in self.boxes.items() if server == key] if kind == "recorder" else [key]
        for each, by_box in self.channels.items():
            yield from ((each, channel) for box in boxes for channel in by_box.get(box, ()))

    def recorder_of(self, camera: str) -> RecordingServer | None:
        """Looked for: it is asked when somebody wants a picture or a recording."""
        box = next((box for box, keys in self.channels.get("camera", {}).items() if camera in keys), "")
        return self.recorders.get(self.boxes.get(box, ""))


def joined(reading: Reading, types: frozenset[str]) -> Iterator[FoundDevice]:
    """The devices of these types, recording servers first, boxes before their channels."""
    if "recorder" in types:
        yield from (_recorder(server, reading.site) for server in reading.recorders)
    if "hardware" in types:
        yield from (_box(box, reading) for box in reading.hardware)
    boxes = {box.key: box for box in reading.hardware}
    recorders = {server.key: server for server in reading.recorders}
    places = _places(reading.groups)
    siblings = Counter([camera.parent for camera in reading.channels.get("cameras", ())])
    for resource, (kind, device_type) in CHANNELS.items():
        if device_type not in types:
            continue
        for channel in reading.channels.get(resource, ()):
            key, parent = channel.key, channel.parent
            box = boxes.get(parent)
            server = recorders.get(box.parent) if box is not None else None
            place = places.get(key, []) if kind == "camera" else []
            subtype = _subtype(channel, siblings[parent] if parent else 0) if kind == "camera" else kind
            yield _channel(channel, (kind, key, parent), (device_type, subtype), box, server, place, reading)


def kinds_of(types: Collection[str]) -> frozenset[str]:
    """The kinds of devices that types of device mean here."""
    channels = {kind for kind, device_type in CHANNELS.values() if device_type in types}
    return frozenset(channels | ({"recorder", "hardware"} & set(types)))


def topology_of(reading: Reading) -> Topology:
    recorders = {server.key: server for server in reading.recorders}
    servers = {key: key for key in recorders}
    boxes = {box.key: servers.get(parent := box.parent, parent) for box in reading.hardware}
    off = {box.key for box in reading.hardware if not box.enabled}
    disabled = {("hardware", key) for key in off}
    disabled |= {("recorder", server.key) for server in reading.recorders if not server.enabled}
    channels: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for resource, (kind, _) in CHANNELS.items():
        by_box: dict[str, list[str]] = {box: [] for box in boxes}
        for channel in reading.channels.get(resource, ()):
            key, parent = channel.key, channel.parent
            by_box.setdefault(parent, []).append(key)
            if not channel.enabled or parent in off:
                disabled.add((kind, key))
        channels[kind] = {box: tuple(keys) for box, keys in by_box.items() if keys}
    return Topology(channels, boxes, recorders, frozenset(disabled))


def _recorder(server: RecordingServer, site: str) -> FoundDevice:
    return FoundDevice(
        "recorder",
        server.key,
        server.label,
        "recorder",
        hostname=server.host_name,
        location=site,
        enabled=server.enabled,
        attributes={"vendor": "Milestone"},
    )


def _box(box: Hardware, reading: Reading) -> FoundDevice:
    driver = reading.driver.get(box.key, SILENT)
    return FoundDevice(
        "hardware",
        box.key,
        box.label,
        "hardware",
        macs=(driver.mac,) if driver.mac else (),
        address=box.address,
        location=reading.site,
        parent=("recorder", box.parent) if box.parent else None,
        enabled=box.enabled,
        attributes=_told(box, driver),
    )


def _channel(
    channel: Channel,
    identity: tuple[str, str, str],
    what: tuple[DeviceType, str],
    box: Hardware | None,
    server: RecordingServer | None,
    places: Sequence[str],
    reading: Reading,
) -> FoundDevice:
    (kind, key, parent), (device_type, subtype) = identity, what
    driver = reading.driver.get(parent, SILENT)
    attributes = _told(box, driver, server.label if server is not None else "", _gps(channel.gis_point))
    if places[1:]:
        attributes["groups"] = ", ".join(places)
    if channel.recording_enabled is not None:
        attributes["recording_enabled"] = channel.recording_enabled
    return FoundDevice(
        kind,
        key,
        channel.label,
        device_type,
        subtype,
        macs=(driver.mac,) if driver.mac else (),
        address=box.address if box is not None else "",
        location=places[0] if places else reading.site,
        parent=("hardware", parent) if parent else None,
        channel=channel.channel,
        enabled=channel.enabled and (box is None or box.enabled),
        attributes=attributes,
    )


def _told(
    box: Hardware | None, driver: DriverSettings, recorder: str = "", gps: str = ""
) -> dict[str, str | int | float | bool]:
    model = driver.model or (box.model if box is not None else "")
    told = (
        ("model", model),
        ("firmware", driver.firmware),
        ("serial", driver.serial),
        ("recorder", recorder),
        ("gps", gps),
    )
    return {name: value for name, value in told if value}


def _subtype(camera: Channel, siblings: int) -> str:
    if camera.ptz_enabled:
        return "ptz"
    return "multisensor" if siblings > 1 else "fixed"


def _gps(point: str) -> str:
    """`latitude,longitude` of "POINT (lon lat)"."""
    found = _POINT.search(point) if point else None
    return f"{found[2]},{found[1]}" if found else ""


def _places(groups: Sequence[Membership]) -> dict[str, list[str]]:
    """By camera key the paths of its groups, the longest first, then by name."""
    by_key = {one.group.key: one.group for one in groups}
    places: dict[str, list[str]] = {}
    for one in groups:
        path = _path(one.group, by_key)
        for camera in one.cameras:
            places.setdefault(camera, []).append(path)
    return {camera: sorted(paths, key=lambda path: (-path.count("/"), path)) for camera, paths in places.items()}


def _path(group: CameraGroup, by_key: Mapping[str, CameraGroup]) -> str:
    names = [group.label]
    seen = {group.key}
    while (parent := by_key.get(group.parent)) is not None and parent.key not in seen:
        seen.add(parent.key)
        names.append(parent.label)
        group = parent
    return "/".join(reversed(names))
