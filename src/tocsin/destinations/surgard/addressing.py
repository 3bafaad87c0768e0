"""Under which number an event goes to the station (stations.md 2). Pure."""

import re

from tocsin.destinations.surgard.settings import LinkedSettings
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
from tocsin.protocols import contact_id
from tocsin.protocols.addressing import find

_PRINTED = re.compile(
    r"(?:R([0-9A-F]{1,6}))?(?:L([0-9A-Z]{1,6}))?#([0-9A-Z]{1,16})(?:\|([0-9A-Z]{1,16}))?(?:-([0-9A-Z]{1,16}))?",
    re.IGNORECASE | re.ASCII,
)
_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,16}", re.ASCII)
_CONTACT_ID_ACCOUNT = re.compile(r"[0-9B-F]+", re.ASCII | re.IGNORECASE)
_RECEIVER = re.compile(r"0*[0-9A-F]{1,2}", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9A-Za-z]{1,16}", re.ASCII)


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox."""
    match = _PRINTED.fullmatch(text)
    if match is None:
        return None
    receiver, line, account, area, zone = match.groups()
    return Address(account, area, zone, receiver, line)


def address(settings: LinkedSettings, notation: str, event: Event, device: Device | None) -> Addressed:
    """The event's own number, the device's tag, the device's list, the default account: the first there is. `notation`
    is the tag's prefix.
    """
    warning = ""
    if event.address is not None:
        return _addressed(settings, _renamed(settings, event.address), ORIGIN_OWN)
    if device is not None:
        found = find(device.description, notation)
        warning = "; ".join(f"description of {device.id}: {each}" for each in found.warnings)
        if isinstance(found.address, Address):
            return _addressed(settings, found.address, ORIGIN_TAG, warning)
        listed = device.addresses.get(settings.name)
        if listed is not None:
            return _addressed(settings, listed, ORIGIN_DEVICE, warning)
    default = settings.default_address()
    if default is not None:
        return _addressed(settings, default, ORIGIN_DEFAULT, warning)
    device_id = event.device_id or "its device"
    problem = (
        f"the event brings no account for {settings.name}: write {notation}:#… into the description of {device_id}, or "
        f"set account in [[destinations]] {settings.name}"
    )
    return Addressed(problem=problem, warning=warning)


def _renamed(settings: LinkedSettings, own: Address) -> Address:
    """A panel's account, renamed if so configured, under this destination's receiver and line."""
    wanted = own.account.lower()
    account = next((new for old, new in settings.accounts.items() if old.lower() == wanted), own.account)
    return Address(account, own.area, own.zone)


def _addressed(settings: LinkedSettings, found: Address, origin: str, warning: str = "") -> Addressed:
    problem = _problem(settings, found, origin)
    if problem:
        return Addressed(origin=origin, problem=problem, warning=warning)
    queue = found.account.upper()
    return Addressed(address=printed_address(found), queue=queue, origin=origin, warning=warning)


def _problem(settings: LinkedSettings, found: Address, origin: str) -> str:
    if not _ACCOUNT.fullmatch(found.account):
        return f"account {found.account!r} has other characters than 1 to 16 digits and letters"
    if found.receiver and not _RECEIVER.fullmatch(found.receiver):
        return f"receiver {found.receiver} of {found} is not two hexadecimal digits"
    if not all(_NUMBER.fullmatch(number) for number in (found.prefix, found.area, found.zone) if number):
        return f"line, area and zone of {found} are not digits"
    return "" if settings.writes_sia() else _contact_id_problem(settings, found, origin)


def _contact_id_problem(settings: LinkedSettings, found: Address, origin: str) -> str:
    """Digits are never cut (surgard.md 6.4)."""
    if not _CONTACT_ID_ACCOUNT.fullmatch(found.account) or len(found.account) > settings.account_width:
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
