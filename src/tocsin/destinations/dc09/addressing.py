"""Under which number an event goes to the station (stations.md 2). Pure."""

import re

from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.engine.contracts import (
    ORIGIN_DEFAULT,
    ORIGIN_DEVICE,
    ORIGIN_OWN,
    ORIGIN_TAG,
    Addressed,
    printed_address,
)
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import find

_PRINTED = re.compile(
    r"(?:R([0-9A-F]{1,6}))?(?:L([0-9A-F]{1,6}))?#([0-9A-F]{3,16})(?:\|([0-9A-Z]{1,16}))?(?:-([0-9A-Z]{1,16}))?",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"[0-9A-Fa-f]{3,16}")
_LINE = re.compile(r"[0-9A-Fa-f]{1,6}")
_NUMBER = re.compile(r"[0-9A-Za-z]{0,16}")
_CID_AREA, _CID_ZONE = re.compile(r"0*[0-9B-F]{1,2}"), re.compile(r"0*[0-9B-F]{1,3}")


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox."""
    match = _PRINTED.fullmatch(text)
    if match is None:
        return None
    receiver, prefix, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, prefix)


def address(settings: Dc09Settings, event: Event, device: Device | None) -> Addressed:
    """The event's own number, the device's tag, the device's list, the default account: the first there is."""
    warning = ""
    if event.address is not None:
        return _addressed(settings, _renamed(settings, event.address), ORIGIN_OWN)
    if device is not None:
        tagged, warning = _tagged(device)
        if tagged is not None:
            return _addressed(settings, tagged, ORIGIN_TAG, warning)
        listed = device.addresses.get(settings.name)
        if listed is not None:
            return _addressed(settings, listed, ORIGIN_DEVICE, warning)
    default = settings.default_address()
    if default is not None:
        return _addressed(settings, default, ORIGIN_DEFAULT, warning)
    return Addressed(problem=_nowhere(settings, event), warning=warning)


def _nowhere(settings: Dc09Settings, event: Event) -> str:
    device = event.device_id or "its device"
    return (
        f"the event brings no account for {settings.name}: write SIA:#… into the description of {device}, or set "
        f"account in [[destinations]] {settings.name}"
    )


def _renamed(settings: Dc09Settings, own: Address) -> Address:
    """A panel's account, renamed if so configured, under this station's receiver number and prefix."""
    wanted = own.account.lower()
    account = next((new for old, new in settings.accounts.items() if old.lower() == wanted), own.account)
    return Address(account, own.area, own.zone, settings.receiver, settings.prefix)


def _tagged(device: Device) -> tuple[Address | None, str]:
    """The first valid tag, and what is wrong with the others."""
    found = find(device.description, "SIA")
    warning = "; ".join(f"description of {device.id}: {each}" for each in found.warnings)
    return (found.address if isinstance(found.address, Address) else None), warning


def _addressed(settings: Dc09Settings, found: Address, origin: str, warning: str = "") -> Addressed:
    problem = _problem(settings, found, origin)
    if problem:
        return Addressed(origin=origin, problem=problem, warning=warning)
    account = Address(found.account, receiver=found.receiver, prefix=found.prefix)
    return Addressed(
        address=printed_address(found),
        queue=found.account.upper(),
        origin=origin,
        counter=printed_address(account).upper(),
        warning=warning,
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
