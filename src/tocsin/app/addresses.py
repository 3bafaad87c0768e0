"""Which configured devices a station could not be told of: no address, or an address tag that cannot be read."""

from collections.abc import Iterator

from tocsin.app.offline import Offline
from tocsin.app.settings import Configuration
from tocsin.config.document import Document
from tocsin.config.problems import Problem


def address_warnings(document: Document, settings: Configuration, offline: Offline) -> Iterator[Problem]:
    """Warnings at the lines of the devices concerned."""
    for index, written in enumerate(settings.devices):
        place = ("devices", index)
        device = offline.devices.get(written.id)
        entries = offline.sheet.entries(device) if device is not None else []
        for warning in dict.fromkeys(entry.warning for entry in entries if entry.warning):
            yield document.problem((*place, "description"), warning, warn=True)
        for entry in entries:
            if entry.problem:
                yield document.problem(place, f"no address at {entry.destination}: {entry.problem}", warn=True)
