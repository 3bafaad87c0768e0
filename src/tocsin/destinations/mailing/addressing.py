"""Under which number an event goes to a station that is told by mail (stations.md 2). Pure."""

import re
from collections.abc import Callable

from tocsin.destinations.addresses import resolved
from tocsin.destinations.mailing.station_settings import StationMailSettings
from tocsin.engine.contracts import Addressed, AreaAddress, printed_address
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number, Recipients

_PRINTED = re.compile(r"#([A-Za-z0-9]+)(?:\|([A-Za-z0-9]+))?(?:-([A-Za-z0-9]+))?\Z")

Sendable = Callable[[Address, str], Addressed]
"""What a type makes of an address and its origin: the outbox's form and its queue, or why it cannot be sent."""


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox; None when it is none."""
    match = _PRINTED.match(text)
    return Address(match[1], match[2], match[3]) if match else None


def numbered(address: Address, origin: str) -> Addressed:
    """An address of digits and letters in the outbox; order is kept per account."""
    return Addressed(printed_address(address), address.account, origin)


def address_of(
    settings: StationMailSettings, sendable: Sendable, event: Event, device: Device | None, areas: AreaAddress
) -> Addressed:
    """As everywhere (destinations/addresses.py). A panel's account counts where `accounts` names it, or where the
    type takes it as it is.
    """

    def printed(found: Number, origin: str) -> Addressed:
        return sendable(plain_address(found), origin)

    return resolved(settings.prefix, settings, event, device, printed, areas, _own(settings, event))


def plain_address(found: Number) -> Address:
    """Receiver and line mean nothing in a mail; a mail address stands in the account."""
    if isinstance(found, Recipients):
        return Address(str(found))
    return Address(found.account, found.area or None, found.zone or None)


def _own(settings: StationMailSettings, event: Event) -> Callable[[Address], Address] | None:
    """How a panel's account is taken; its area and zone stay with it."""
    given = settings.address_of_account(event.address.account) if event.address is not None else None
    if given is None:
        return plain_address if settings.takes_accounts else None
    named = plain_address(given)
    return lambda own: Address(named.account, named.area or own.area or None, named.zone or own.zone or None)
