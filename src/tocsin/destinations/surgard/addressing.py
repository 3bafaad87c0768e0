"""Under which number an event goes to the station (stations.md 2). Pure."""

import re

from tocsin.destinations.addresses import resolved
from tocsin.destinations.surgard.settings import LinkedSettings
from tocsin.engine.contracts import ORIGIN_OWN, Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols import contact_id
from tocsin.protocols.addressing import Number

_PRINTED = re.compile(
    r"(?:R([0-9A-F]{1,6}))?(?:L([0-9A-Z]{1,6}))?#([0-9A-Z]{1,16})(?:\|([0-9A-Z]{1,16}))?(?:-([0-9A-Z]{1,16}))?",
    re.IGNORECASE | re.ASCII,
)
_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,16}", re.ASCII)
_RECEIVER = re.compile(r"0*[0-9A-F]{1,2}", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9A-Za-z]{1,16}", re.ASCII)


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox."""
    match = _PRINTED.fullmatch(text)
    if match is None:
        return None
    receiver, line, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, line)


def address(
    notation: str, settings: LinkedSettings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); a panel's own account goes before all others."""

    def printed(found: Number, origin: str) -> Addressed:
        return _addressed(settings, found if isinstance(found, Address) else Address(str(found)), origin)

    return resolved(notation, settings, event, device, printed, areas, own=lambda own: _renamed(settings, own))


def _renamed(settings: LinkedSettings, own: Address) -> Address:
    """A panel's account, renamed if so configured, under this destination's receiver and line."""
    wanted = own.account.lower()
    account = next((new for old, new in settings.accounts.items() if old.lower() == wanted), own.account)
    return Address(account, own.area, own.zone)


def _addressed(settings: LinkedSettings, found: Address, origin: str) -> Addressed:
    problem = _problem(settings, found, origin)
    if problem:
        return Addressed(origin=origin, problem=problem)
    return Addressed(address=printed_address(found), queue=found.account.upper(), origin=origin)


def _problem(settings: LinkedSettings, found: Address, origin: str) -> str:
    if not _ACCOUNT.fullmatch(found.account):
        return f"account {found.account!r} has other characters than 1 to 16 digits and letters"
    if found.receiver and not _RECEIVER.fullmatch(found.receiver):
        return f"receiver {found.receiver} of {found} is not two hexadecimal digits"
    if not all(_NUMBER.fullmatch(number) for number in (found.prefix, found.area, found.zone) if number):
        return f"line, area and zone of {found} are not digits"
    if found.prefix and not settings.line_fits(found.prefix):
        return (
            f"line {found.prefix} of {found} does not fit: {settings.name} writes {settings.line_width()} of its digits"
        )
    return "" if settings.writes_sia() else _contact_id_problem(settings, found, origin)


def _contact_id_problem(settings: LinkedSettings, found: Address, origin: str) -> str:
    """Digits are never cut (surgard.md 6.4)."""
    if not settings.account_fits(found.account):
        return (
            f"account {found.account} cannot go into a Contact ID record of {settings.account_width} digits (0 to 9, "
            f"B to F); rename it in accounts of {settings.name}, or set account_width"
        )
    # A panel's number cannot be corrected here: better an alarm without its zone than none.
    if origin == ORIGIN_OWN and settings.oversized_numbers == "zero":
        return ""
    for what, number, digits in (("area", found.area, 2), ("zone", found.zone, 3)):
        if not contact_id.fits(number, digits):
            return (
                f"{what} {number} of {found} does not fit Contact ID ({digits} digits); give the device another {what}"
            )
    return ""
