"""Which configured devices a station could not be told of: no address, or an address tag that cannot be read."""

from collections.abc import Iterator

from tocsin.app.offline import Offline
from tocsin.app.settings import Configuration
from tocsin.config.document import Document
from tocsin.config.problems import Problem
from tocsin.engine.clock import LoopClock
from tocsin.model.event import Event
from tocsin.model.kinds import Kind

_PROBED: tuple[Kind, ...] = ("motion", "tamper", "alarm")


def address_warnings(document: Document, settings: Configuration, offline: Offline) -> Iterator[Problem]:
    """Warnings at the lines of the devices concerned."""
    for index, device in enumerate(settings.devices):
        place = ("devices", index)
        for warning in _unread_tags(offline, device.id):
            yield document.problem((*place, "description"), warning, warn=True)
        for name, problem in _without_address(offline, device.id).items():
            yield document.problem(place, f"no address at {name}: {problem}", warn=True)


def _probe(offline: Offline, device_id: str, kind: Kind) -> Event:
    now = LoopClock().now()
    return offline.complete(Event("probe", kind, now, now, "check", device_id=device_id))


def _unread_tags(offline: Offline, device_id: str) -> list[str]:
    event = _probe(offline, device_id, "alarm")
    device = offline.devices.get(device_id)
    found = [destination.address(event, device).warning for destination in offline.destinations.values()]
    return list(dict.fromkeys(warning for warning in found if warning))


def _without_address(offline: Offline, device_id: str) -> dict[str, str]:
    """Per destination that wants its alarms, why they would be set aside."""
    verdicts = [
        verdict for kind in _PROBED for verdict in offline.explain(_probe(offline, device_id, kind)) if verdict.yes
    ]
    return {verdict.destination: verdict.addressed.problem for verdict in verdicts if verdict.addressed.problem}
