"""Receiver, line, account, area and point of an event at a Stages service (stations.md 7.2). Pure."""

import re

from tocsin.destinations.numbers import choice, renamed
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.engine.contracts import ORIGIN_OWN, Addressed, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.contact_id import fits

_DIGITS = re.compile(r"[0-9]{1,32}\Z", re.ASCII)


def address(settings: StagesSettings, event: Event, device: Device | None) -> Addressed:
    """The event's own number, the device's tag, the device's list, the default account: the first there is."""
    found = choice(event, device, settings.name, "Stages", settings.default_address())
    if found.address is None:
        return Addressed(problem=_nowhere(settings, event), warning=found.warning)
    own = found.origin == ORIGIN_OWN
    where = _panels(settings, found.address) if own else found.address
    problem = _problem(settings, where, own)
    if problem:
        return Addressed(origin=found.origin, problem=problem, warning=found.warning)
    return Addressed(printed_address(where), f"L{where.prefix}#{where.account}", found.origin, warning=found.warning)


def _nowhere(settings: StagesSettings, event: Event) -> str:
    return (
        f"the event brings no account for {settings.name}: write Stages:L…#… into the description of "
        f"{event.device_id or 'its device'}, or set line and account in [[destinations]] {settings.name}"
    )


def _panels(settings: StagesSettings, own: Address) -> Address:
    """A panel's number under this station's receiver and line; a part that is no decimal number cannot be sent."""
    area, zone = (part if part and _DIGITS.match(part) else None for part in (own.area, own.zone))
    return Address(renamed(own.account, settings.accounts), area, zone, settings.receiver, settings.line)


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
