"""Which number each destination uses for a device, and where it comes from: the sheet for a station. Pure."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.contracts import Addressed, Clock
from tocsin.engine.devices import DeviceBook
from tocsin.engine.routing import Route, Verdict, judge
from tocsin.model.device import Device
from tocsin.model.event import Event, Place
from tocsin.model.kinds import Kind

PROBED: tuple[Kind, ...] = (
    *("motion", "tamper", "alarm", "fire", "battery_low", "connection_lost", "routine_check", "armed"),
    *("trouble", "door_forced", "access_granted", "snapshot", "info"),
)
"""Kinds with which a destination is asked, until it wants one."""

_FOR_ALL_KINDS = ("filter.areas", "filter.exclude_areas", "on_missing_address")
"""Rules that do not look at the kind."""

AddressAs = Callable[[Event, Device | None], Addressed]


class Entry(Struct, frozen=True):
    """One device at one destination. `told`: it gets something of this device; if not, `reason` names the rule.

    `problem`: there is no usable address, its events are set aside. `warning`: a tag that cannot be read.
    """

    destination: str
    told: bool
    address: str = ""
    origin: str = ""
    reason: str = ""
    problem: str = ""
    warning: str = ""


class Sheet:
    """Asks every destination as the intake would, for a device that need not be kept yet."""

    def __init__(self, devices: DeviceBook, clock: Clock, asked: Sequence[tuple[Route, AddressAs]]) -> None:
        self._devices = devices
        self._clock = clock
        self._asked = asked

    def entries(self, device: Device) -> list[Entry]:
        """One per destination, in the order of the configuration."""
        now = self._clock.now()
        place = self._devices.describe(device)
        # Still to be classified: the filter by what was seen does not count here.
        made = Event("probe", "motion", now, now, "", device_id=device.id, place=place, classification="pending")
        lineage = self._devices.areas.lineage(place.area)
        return [self._entry(route, address, made, lineage, device) for route, address in self._asked]

    def place(self, device: Device) -> Place:
        """Where it is and whose, with what its area hands down."""
        return self._devices.describe(device)

    def warnings(self, device: Device, entries: Sequence[Entry]) -> list[str]:
        """What is wrong with a device's addresses, each sentence once, with the destinations it concerns."""
        said: dict[str, list[str]] = {}
        for entry in entries:
            for text in filter(None, (entry.warning, entry.problem)):
                said.setdefault(text, []).append(entry.destination)
        unknown = sorted(device.addresses.keys() - {entry.destination for entry in entries})
        lost = [f"addresses: there is no destination {name!r}" for name in unknown]
        return [*(f"{', '.join(names)}: {text}" for text, names in said.items()), *lost]

    def _entry(self, route: Route, address: AddressAs, made: Event, lineage: Sequence[str], device: Device) -> Entry:
        # From wherever its events come: a filter by source says nothing about the device.
        wanted = replace(route.filter, sources=None)
        own = replace(route, filter=wanted, address=lambda event: address(event, device))
        verdict = _first_yes(own, made, lineage)
        found = verdict.addressed if verdict.yes else address(made, device)
        return Entry(
            destination=route.name,
            told=verdict.yes,
            address=found.address if verdict.yes else "",
            origin=found.origin if verdict.yes else "",
            reason=verdict.reason,
            problem=found.problem if verdict.yes else "",
            warning=found.warning,
        )


def _first_yes(route: Route, made: Event, lineage: Sequence[str]) -> Verdict:
    """The verdict on the first kind the destination wants of this device; if it wants none, that on the first."""
    first = judge(route, made, lineage)
    if first.yes or first.reason.startswith(_FOR_ALL_KINDS):
        return first
    others = (judge(route, replace(made, kind=kind), lineage) for kind in PROBED[1:])
    return next((verdict for verdict in others if verdict.yes), first)
