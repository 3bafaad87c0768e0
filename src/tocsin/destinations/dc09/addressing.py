"""Under which number an event goes to the station (stations.md 2). Pure."""

import re
from functools import lru_cache

from tocsin.destinations.addresses import resolved
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.engine.contracts import ORIGIN_OWN, Addressed, AreaAddress, no_area_address, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number

_PRINTED = re.compile(
    r"(?:R([0-9A-F]{1,6}))?(?:L([0-9A-F]{1,6}))?#([0-9A-F]{3,16})(?:\|([0-9A-Z]{1,16}))?(?:-([0-9A-Z]{1,16}))?",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
_LINE = re.compile(r"[0-9A-Fa-f]{1,6}")
_NUMBER = re.compile(r"[0-9A-Za-z]{0,16}")
_CID_AREA, _CID_ZONE = re.compile(r"0*[0-9B-F]{1,2}"), re.compile(r"0*[0-9B-F]{1,3}")


@lru_cache(maxsize=16_384)
def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox."""
    match = _PRINTED.fullmatch(text)
    if match is None:
        return None
    receiver, prefix, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, prefix)


def address(
    settings: Dc09Settings, event: Event, device: Device | None, areas: AreaAddress = no_area_address
) -> Addressed:
    """As everywhere (destinations/addresses.py); a panel's own account goes before all others."""

    def printed(found: Number, origin: str) -> Addressed:
        return _addressed(settings, found if isinstance(found, Address) else Address(str(found)), origin)

    return resolved("SIA", settings, event, device, printed, areas, own=lambda own: _renamed(settings, own))


def _renamed(settings: Dc09Settings, own: Address) -> Address:
    """A panel's account, renamed if so configured, under this station's receiver number and prefix."""
    wanted = own.account.lower()
    account = next((new for old, new in settings.accounts.items() if old.lower() == wanted), own.account)
    return Address(account, own.area, own.zone, settings.receiver, settings.prefix)


def _addressed(settings: Dc09Settings, found: Address, origin: str) -> Addressed:
    problem = _problem(settings, found, origin)
    if problem:
        return Addressed(origin=origin, problem=problem)
    account = Address(found.account, receiver=found.receiver, prefix=found.prefix)
    return Addressed(
        address=printed_address(found),
        queue=found.account.upper(),
        origin=origin,
        counter=printed_address(account).upper(),
    )


def _problem(settings: Dc09Settings, found: Address, origin: str) -> str:
    if not _ACCOUNT.fullmatch(found.account):
        return (
            f"account {found.account!r} cannot go into a DC-09 message (3 to 16 hexadecimal digits); rename it in "
            f"accounts of {settings.name}"
        )
    if not all(_LINE.fullmatch(line) for line in (found.receiver, found.prefix) if line is not None):
        return f"receiver or account prefix of {found} is not 1 to 6 hexadecimal digits"
    if not all(_NUMBER.fullmatch(number) for number in (found.area, found.zone) if number is not None):
        return f"area and zone of {found} are not digits"
    # A panel's number cannot be corrected here: better an alarm with the zone in its text than none.
    in_text = origin == ORIGIN_OWN and settings.oversized_numbers == "text" and settings.fields.info
    return _contact_id_problem(found) if settings.format == "ADM-CID" and not in_text else ""


def _contact_id_problem(found: Address) -> str:
    """Digits are never cut (event-codes.md 3.1)."""
    if found.area and not _CID_AREA.fullmatch(found.area):
        return f"area {found.area} of {found} does not fit Contact ID (two digits); give the device another area"
    if found.zone and not _CID_ZONE.fullmatch(found.zone):
        return f"zone {found.zone} of {found} does not fit Contact ID (three digits); give the device another zone"
    return ""
