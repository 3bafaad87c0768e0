"""Into which folder of the station's FTP server an event goes (stations.md 2). Pure."""

import re

from msgspec import Struct

from tocsin.destinations.addresses import resolved
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.engine.contracts import Addressed, AreaAddress, no_area_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number

_FOLDER = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_ZONE = re.compile(r"[A-Za-z0-9]{1,32}\Z")


class Place(Struct, frozen=True):
    """The source's folder and the camera's number in it, which may be empty. Printed as `depot-north:3`."""

    folder: str
    zone: str = ""

    def __str__(self) -> str:
        return f"{self.folder}:{self.zone}" if self.zone else self.folder


def read_printed(text: str) -> Place | None:
    """The form in which an address stands in the outbox."""
    folder, colon, zone = text.partition(":")
    if not _FOLDER.match(folder) or (colon and not _ZONE.match(zone)):
        return None
    return Place(folder, zone)


def address_of(
    settings: EbusSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); a panel's account counts only where `folders` names its folder."""

    def printed(found: Number, origin: str) -> Addressed:
        return _addressed(found if isinstance(found, Address) else Address(str(found)), origin)

    own = event.address
    folder = settings.folders.get(own.account, "") if own is not None else ""
    mapped = (lambda own: Address(folder, own.area, own.zone)) if folder else None
    return resolved("EBUS", settings, event, device, printed, areas, own=mapped)


def _addressed(found: Address, origin: str) -> Addressed:
    place = Place(found.account, found.zone or "")
    if read_printed(str(place)) is None:
        return Addressed(origin=origin, problem=f"{place} from {origin} is no folder (letters, digits, _ and -)")
    return Addressed(str(place), place.folder, origin)
