"""Receiver, line, account, area and point of an event at a Stages service (stations.md 7.2). Pure."""

import re

from msgspec.structs import replace

from tocsin.destinations.addresses import resolved
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.engine.contracts import ORIGIN_OWN, Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number
from tocsin.protocols.contact_id import fits

_DIGITS = re.compile(r"[0-9]{1,32}\Z", re.ASCII)


def address(
    settings: StagesSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); a panel's own account goes before all others."""

    def printed(found: Number, origin: str) -> Addressed:
        where = _on_line(settings, found if isinstance(found, Address) else Address(str(found)))
        problem = _problem(settings, where, origin == ORIGIN_OWN)
        if problem:
            return Addressed(origin=origin, problem=problem)
        return Addressed(printed_address(where), f"L{where.prefix}#{where.account}", origin)

    return resolved("Stages", settings, event, device, printed, areas, own=lambda own: _panels(settings, own))


def _on_line(settings: StagesSettings, found: Address) -> Address:
    """An address list may leave out the line; then the destination's own counts."""
    return found if found.prefix is not None else replace(found, prefix=settings.line)


def _panels(settings: StagesSettings, own: Address) -> Address:
    """A panel's number under this station's receiver and line; a part that is no decimal number cannot be sent."""
    area, zone = (part if part and _DIGITS.match(part) else None for part in (own.area, own.zone))
    account = next((new for old, new in settings.accounts.items() if old.lower() == own.account.lower()), own.account)
    return Address(account, area, zone, settings.receiver, settings.line)


def _problem(settings: StagesSettings, where: Address, own: bool) -> str:
    if where.prefix is None:
        return f"Stages needs a line for account {where.account}: set line in [[destinations]] {settings.name}"
    if not _DIGITS.match(where.account):
        return (
            f"account {where.account!r} has other characters than decimal digits, which Stages does not take; rename "
            f"it in accounts of {settings.name}"
        )
    parts = (where.receiver, where.prefix, where.area, where.zone)
    if not all(_DIGITS.match(part) for part in parts if part is not None):
        return f"receiver, line, area and point of {where} are not all decimal digits"
    # A panel's number cannot be corrected here: better an alarm without its point than none.
    return "" if own or settings.code_style == "short" else _oversized(where)


def _oversized(where: Address) -> str:
    """Digits are never cut (event-codes.md 3.1)."""
    if where.area and not fits(where.area, 2):
        return f'area {where.area} of {where} does not fit into the code (two digits); use code_style = "short"'
    if where.zone and not fits(where.zone, 3):
        return f'point {where.zone} of {where} does not fit into the code (three digits); use code_style = "short"'
    return ""
