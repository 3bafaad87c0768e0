"""Cameras, boxes and recording servers joined to devices (connectors.md 4.5). Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

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
    """What belongs to what, for states. `devices`: by kind and key, for a channel the key of its box; `recorders`: of
    each box the key of its recording server; `children`: the channels by the key of their box, and by that of their
    recording server; `recorder_of` by camera key."""

    devices: Mapping[str, Mapping[str, str]] = {}
    recorders: Mapping[str, str] = {}
    disabled: frozenset[Identity] = frozenset()
    children: Mapping[str, tuple[Identity, ...]] = {}
    recorder_of: Mapping[str, RecordingServer] = {}


def joined(reading: Reading, types: frozenset[str]) -> Iterator[FoundDevice]:
    """The devices of these types, recording servers first, boxes before their channels."""
    if "recorder" in types:
        yield from (_recorder(server, reading.site) for server in reading.recorders)
    if "hardware" in types:
        yield from (_box(box, reading) for box in reading.hardware)
    boxes = {box.key: box for box in reading.hardware}
    recorders = {server.key: server for server in reading.recorders}
    places = _places(reading.groups)
    siblings = Counter(camera.parent for camera in reading.channels.get("cameras", ()))
    for resource, (kind, device_type) in CHANNELS.items():
        if device_type not in types:
            continue
        for channel in reading.channels.get(resource, ()):
            box = boxes.get(channel.parent)
            server = recorders.get(box.parent) if box is not None else None
            place = places.get(channel.key, []) if kind == "camera" else []
            subtype = _subtype(channel, siblings[channel.parent]) if kind == "camera" else kind
            yield _channel(channel, (kind, device_type, subtype), box, server, place, reading)


def kinds_of(types: Collection[str]) -> frozenset[str]:
    """The kinds of devices that types of device mean here."""
    channels = {kind for kind, device_type in CHANNELS.values() if device_type in types}
    return frozenset(channels | ({"recorder", "hardware"} & set(types)))


def topology_of(reading: Reading) -> Topology:
    children: dict[str, list[Identity]] = {}
    devices: dict[str, dict[str, str]] = {
        "recorder": {server.key: "" for server in reading.recorders},
        "hardware": {box.key: "" for box in reading.hardware},
    }
    boxes = {box.key: box for box in reading.hardware}
    disabled: set[Identity] = {("hardware", box.key) for box in reading.hardware if not box.enabled}
    disabled |= {("recorder", server.key) for server in reading.recorders if not server.enabled}
    for resource, (kind, _) in CHANNELS.items():
        for channel in reading.channels.get(resource, ()):
            identity = (kind, channel.key)
            devices.setdefault(kind, {})[channel.key] = channel.parent
            box = boxes.get(channel.parent)
            for above in (channel.parent, box.parent if box is not None else ""):
                children.setdefault(above, []).append(identity)
            if not channel.enabled or ("hardware", channel.parent) in disabled:
                disabled.add(identity)
    recorders = {server.key: server for server in reading.recorders}
    recorder_of = {
        camera.key: recorders[boxes[camera.parent].parent]
        for camera in reading.channels.get("cameras", ())
        if camera.parent in boxes and boxes[camera.parent].parent in recorders
    }
    return Topology(
        devices,
        {box.key: box.parent for box in reading.hardware},
        frozenset(disabled),
        {key: tuple(value) for key, value in children.items()},
        recorder_of,
    )


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
    driver = reading.driver.get(box.key, DriverSettings())
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
    what: tuple[str, DeviceType, str],
    box: Hardware | None,
    server: RecordingServer | None,
    places: Sequence[str],
    reading: Reading,
) -> FoundDevice:
    kind, device_type, subtype = what
    driver = reading.driver.get(channel.parent, DriverSettings())
    attributes = _told(box, driver) | {
        "recorder": server.label if server is not None else "",
        "gps": _gps(channel.gis_point),
        "groups": ", ".join(places[1:] and places),
    }
    if channel.recording_enabled is not None:
        attributes["recording_enabled"] = channel.recording_enabled
    return FoundDevice(
        kind,
        channel.key,
        channel.label,
        device_type,
        subtype,
        macs=(driver.mac,) if driver.mac else (),
        address=box.address if box is not None else "",
        location=places[0] if places else reading.site,
        parent=("hardware", channel.parent) if channel.parent else None,
        channel=channel.channel,
        enabled=channel.enabled and (box is None or box.enabled),
        attributes={name: value for name, value in attributes.items() if value != ""},
    )


def _told(box: Hardware | None, driver: DriverSettings) -> dict[str, str | int | float | bool]:
    model = driver.model or (box.model if box is not None else "")
    told = {"model": model, "firmware": driver.firmware, "serial": driver.serial}
    return {name: value for name, value in told.items() if value}


def _subtype(camera: Channel, siblings: int) -> str:
    if camera.ptz_enabled:
        return "ptz"
    return "multisensor" if siblings > 1 and camera.parent else "fixed"


def _gps(point: str) -> str:
    """`latitude,longitude` of "POINT (lon lat)"."""
    found = _POINT.search(point)
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
