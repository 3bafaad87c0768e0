"""Site, area and sensor of an event in OSAP's correlation. Pure."""

import re

from tocsin.destinations.addresses import resolved
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.engine.contracts import Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number

_PART = re.compile(r"[A-Za-z0-9]{1,32}\Z", re.ASCII)


def address(
    settings: OsapSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py), but for a description: OSAP has no notation for one. Without any
    address the control room knows the device by its own id.
    """

    def printed(found: Number, origin: str) -> Addressed:
        where = found if isinstance(found, Address) else Address(str(found))
        return _addressed(event, Address(where.account, where.area or None, where.zone or None), origin)

    nothing = Addressed(queue=event.device_id, origin="none: the device's own id is sent")
    return resolved("OSAP", settings, event, device, printed, areas, own=lambda own: own, without=nothing)


def _addressed(event: Event, where: Address, origin: str) -> Addressed:
    for part in (where.account, where.area, where.zone):
        if part is not None and not _PART.match(part):
            return Addressed(origin=origin, problem=f"{part!r} from {origin} cannot be sent as site, area or sensor")
    return Addressed(printed_address(where), event.device_id or where.account, origin)
