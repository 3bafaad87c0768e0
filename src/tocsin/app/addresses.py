"""Of which configured devices, areas and panels a station could not be told: no address, an address tag that cannot be
read, or a number that cannot go out there.
"""

from collections.abc import Iterator
from typing import Any

from tocsin.app.exposure import entry_place
from tocsin.app.offline import Offline
from tocsin.app.settings import Configuration
from tocsin.config.document import Document
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem

_SHOWN = 5


def address_warnings(document: Document, settings: Configuration, offline: Offline) -> Iterator[Problem]:
    """Warnings at the lines of the devices, areas and panels concerned."""
    yield from _devices(document, settings, offline)
    for index, area in enumerate(settings.areas):
        for name in area.addresses:
            problem = offline.area_problem(name, area.name)
            if problem:
                yield document.problem(("areas", index, "addresses", name), problem, warn=True)
    for source in settings.sources:
        yield from _panels(document, (*entry_place(document, "sources", source.name), "accounts"), source, offline)


def _panels(document: Document, place: KeyPath, source: Any, offline: Offline) -> Iterator[Problem]:
    """One warning per station, which names the first panels and says of the first why."""
    found: dict[str, list[tuple[str, str]]] = {}
    for panel in getattr(source, "accounts", ()):
        for name, problem in offline.panel_problems(source.name, panel.account, panel.area):
            found.setdefault(name, []).append((panel.account, problem))
    for name, panels in found.items():
        accounts = ", ".join(account for account, _ in panels[:_SHOWN])
        more = f" and {len(panels) - _SHOWN} more" if len(panels) > _SHOWN else ""
        message = f"{name} cannot be told of {accounts}{more}: {panels[0][1]}"
        yield document.problem(place, message, warn=True)


def _devices(document: Document, settings: Configuration, offline: Offline) -> Iterator[Problem]:
    for index, written in enumerate(settings.devices):
        place = ("devices", index)
        device = offline.devices.get(written.id)
        entries = offline.sheet.entries(device) if device is not None else []
        for warning in dict.fromkeys(entry.warning for entry in entries if entry.warning):
            yield document.problem((*place, "description"), warning, warn=True)
        for entry in entries:
            if entry.problem:
                yield document.problem(place, f"no address at {entry.destination}: {entry.problem}", warn=True)
