"""A made-up site: cameras on boxes, with everything the Configuration API tells of them, and how they are.

The shapes are those of the vendor's published samples (connectors.md 4.4 to 4.6).
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

SPACE = uuid.UUID("5b2f6f0a-8a43-4f6c-9d0b-3c1e7c0f4e11")
STARTED = "dd3e6464-7dc0-405a-a92f-6150587563e8"
ERROR = "a334af1c-4b4b-4957-9e5f-ab8ca07feab6"
STOPPED = "0ee90664-2924-42a0-a816-4129d0ecabdc"
HARDWARE_STARTED = "0553c396-5e16-4c22-b3d1-f548e42dfbb4"
HARDWARE_ERROR = "6baad64b-c395-4f52-b6a3-dd1b64aa2f0f"
RECORDER_STARTED = str(uuid.uuid5(SPACE, "recorder started"))
RECORDER_ERROR = str(uuid.uuid5(SPACE, "recorder error"))
MOTION_STARTED = "6eb95dd6-7ccc-4bce-99f8-af0d0b582d77"
MOTION_STOPPED = "6f55a7a7-d21c-4629-ac18-af1975e395a2"
INPUT_ACTIVATED = str(uuid.uuid5(SPACE, "input activated"))
INPUT_DEACTIVATED = str(uuid.uuid5(SPACE, "input deactivated"))
STATE_GROUP = "b6b9667a-3c74-4fd6-bf5c-b71e3ca94ab6"
_TYPES = {
    STARTED: "Communication Started (Device)",
    ERROR: "Communication Error (Device)",
    STOPPED: "Communication Stopped (Device)",
    HARDWARE_STARTED: "Communication Started (Hardware)",
    HARDWARE_ERROR: "Communication Error (Hardware)",
    "63ea1f06-5a83-4f39-9fab-49959fde7b66": "Communication Stopped (Hardware)",
    RECORDER_STARTED: "Communication Started (Recording Server)",
    RECORDER_ERROR: "Communication Error (Recording Server)",
    MOTION_STARTED: "Motion Started",
    MOTION_STOPPED: "Motion Stopped",
    INPUT_ACTIVATED: "Input Activated",
    INPUT_DEACTIVATED: "Input Deactivated",
}
_COUNTERS = {INPUT_ACTIVATED: INPUT_DEACTIVATED, INPUT_DEACTIVATED: INPUT_ACTIVATED}
USER_DEFINED = ("Siren on", "Siren off", "Doors locked")
_MADE = "2023-11-04T09:12:30.1170000Z"
_CHANGED = "2025-01-20T14:02:11.4030000Z"
_MODELS = ("AXIS P3265-LV Dome Camera", "Hanwha XNV-8080R", "Bosch NDE-5503-A", "Pelco IMM12018 Multi-Sensor")


class Plan(Struct, frozen=True):
    """How large the site is: `cameras` shared out evenly over `boxes`."""

    cameras: int = 12
    boxes: int = 8
    microphones: bool = True


class Site:
    """What there is and how it is; `cameras` may be unplugged, put back and removed by number, counted from 1."""

    def __init__(self, plan: Plan) -> None:
        self.site = identity("site")
        self.recorder = identity("recorder")
        self.hardware = [_box(number, self.recorder) for number in range(1, plan.boxes + 1)]
        self.cameras = [_camera(number, 1 + (number - 1) % plan.boxes) for number in range(1, plan.cameras + 1)]
        self.microphones = [_microphone(number) for number in range(1, plan.boxes + 1) if plan.microphones]
        self.inputs = [_input(number) for number in range(1, plan.boxes + 1)]
        self.groups = [("Perimeter", ""), ("Dock", "Perimeter"), ("Halls", "")]
        self.macs = {box["id"]: f"02:00:5E:00:{number >> 8:02X}:{number & 255:02X}" for number, box in self._boxes()}
        at = instant(datetime.now(UTC))
        self.states = {f"cameras/{camera['id']}": (STARTED, at) for camera in self.cameras}
        self.states[f"recordingServers/{self.recorder}"] = (RECORDER_STARTED, at)
        self.states |= {f"hardware/{box['id']}": (HARDWARE_STARTED, at) for box in self.hardware}

    def _boxes(self) -> list[tuple[int, dict[str, Any]]]:
        return list(enumerate(self.hardware, start=1))

    def collection(self, name: str, recorder: tuple[str, str, int]) -> list[dict[str, Any]] | None:
        """The items of a resource, disabled ones too; None where there is no such resource. `recorder` is scheme, host
        and port of the recording server.
        """
        made: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "sites": lambda: [_site(self.site)],
            "recordingServers": lambda: [_recorder(self.recorder, *recorder)],
            "hardware": lambda: self.hardware,
            "cameras": lambda: self.cameras,
            "microphones": lambda: self.microphones,
            "cameraGroups": lambda: [_group(name, parent) for name, parent in self.groups],
            "inputEvents": lambda: self.inputs,
            "eventTypes": lambda: [_event_type(key, name) for key, name in _TYPES.items()],
            "userDefinedEvents": lambda: [
                _named(identity("event", name), name, "userDefinedEvents") for name in USER_DEFINED
            ],
            "roles": lambda: [_named(identity("role"), "Administrators", "roles")],
        }
        if name in ("speakers", "outputs"):
            return []
        return made[name]() if name in made else None

    def members(self, group: str) -> list[dict[str, Any]] | None:
        """Cameras of a group: each third one."""
        keys = [identity("group", name) for name, _ in self.groups]
        return self.cameras[keys.index(group) :: len(keys)] if group in keys else None

    def driver_settings(self, box: str) -> dict[str, Any] | None:
        mac = self.macs.get(box)
        if mac is None:
            return None
        return {
            "macAddress": mac, "serialNumber": mac.replace(":", ""), "firmwareVersion": "11.8.61",
            "detectedModelName": "AXIS P3265-LV", "productID": "DP3265", "httpSEnabled": "Yes", "httpSPort": "443",
        }  # fmt: skip

    def happened(self, source: str, event_type: str, at: datetime) -> dict[str, Any]:
        """A source changes; the event that says so."""
        self.states[source] = (event_type, instant(at))
        return {**state(source, event_type, instant(at)), "id": str(uuid.uuid4())}

    def told(self, source: str, event_type: str, at: datetime) -> dict[str, Any]:
        """An event that is no state."""
        return {**state(source, event_type, instant(at)), "id": str(uuid.uuid4())}

    def current(self) -> list[dict[str, Any]]:
        return [state(source, event_type, at) for source, (event_type, at) in self.states.items()]

    def camera(self, number: int) -> dict[str, Any] | None:
        return next((one for one in self.cameras if one["id"] == identity("camera", number)), None)

    def remove(self, number: int) -> None:
        key = identity("camera", number)
        self.cameras = [one for one in self.cameras if one["id"] != key]
        self.states.pop(f"cameras/{key}", None)


def identity(*what: object) -> str:
    """The same for the same thing each time the stand-in is started."""
    return str(uuid.uuid5(SPACE, " ".join(map(str, what))))


def instant(at: datetime) -> str:
    """With seven fraction digits, as XProtect writes them."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def state(source: str, event_type: str, at: str) -> dict[str, Any]:
    return {"specversion": "1.0", "type": event_type, "source": source, "time": at, "stategroupid": STATE_GROUP}


def _relations(resource: str, key: str, parent: tuple[str, str] | None) -> dict[str, Any]:
    related = {"self": {"type": resource, "id": key}}
    return related if parent is None else {**related, "parent": {"type": parent[0], "id": parent[1]}}


def _named(key: str, name: str, resource: str, parent: tuple[str, str] | None = None) -> dict[str, Any]:
    return {"id": key, "name": name, "displayName": name, "relations": _relations(resource, key, parent)}


def _site(key: str) -> dict[str, Any]:
    return {
        **_named(key, "Example works", "sites"), "computerName": "XP-MGMT", "version": "25.2.16023.1",
        "timeZone": "UTC", "lastModified": _CHANGED,
    }  # fmt: skip


def _recorder(key: str, scheme: str, host: str, port: int) -> dict[str, Any]:
    uri = f"{scheme}://{host}:{port}/"
    return {
        **_named(key, "Recorder 1", "recordingServers"), "enabled": True, "hostName": host, "portNumber": port,
        "webServerUri": uri, "activeWebServerUri": uri, "timeZoneName": "UTC", "lastModified": _CHANGED,
    }  # fmt: skip


def _box(number: int, recorder: str) -> dict[str, Any]:
    key, model = identity("box", number), _MODELS[number % len(_MODELS)]
    address = f"192.0.2.{number % 254 + 1}"
    return {
        **_named(key, f"{model} ({address})", "hardware", ("recordingServers", recorder)),
        "enabled": True, "description": "", "address": f"http://{address}/", "model": model, "userName": "root",
        "hardwareDriverPath": f"HardwareDriver[{number}]", "lastModified": _CHANGED, "passwordLastModified": _MADE,
    }  # fmt: skip


def _camera(number: int, box: int) -> dict[str, Any]:
    return {
        **_named(identity("camera", number), f"Camera {number}", "cameras", ("hardware", identity("box", box))),
        "shortName": f"c{number}", "description": "", "enabled": True, "channel": 0, "ptzEnabled": number % 10 == 0,
        "recordingEnabled": True, "gisPoint": "POINT (12.5683 55.6761)", "createdDate": _MADE, "lastModified": _CHANGED,
    }  # fmt: skip


def _microphone(number: int) -> dict[str, Any]:
    named = _named(
        identity("mic", number), f"Microphone {number}", "microphones", ("hardware", identity("box", number))
    )
    return {**named, "enabled": True, "channel": 0}


def _input(number: int) -> dict[str, Any]:
    named = _named(identity("input", number), f"Input {number}", "inputEvents", ("hardware", identity("box", number)))
    return {**named, "enabled": True, "channel": 0}


def _event_type(key: str, name: str) -> dict[str, Any]:
    counter = {"counterEventID": _COUNTERS[key]} if key in _COUNTERS else {}
    return {**_named(key, name, "eventTypes"), **counter}


def _group(name: str, parent: str) -> dict[str, Any]:
    above = ("cameraGroups", identity("group", parent)) if parent else None
    return _named(identity("group", name), name, "cameraGroups", above)
