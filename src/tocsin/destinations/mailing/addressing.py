"""Under which number an event goes to a station that is told by mail (stations.md 2, receivers.md 1.2). Pure."""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

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
from tocsin.protocols.addressing import NOTATIONS, Recipients, find

_PRINTED = re.compile(r"#([A-Za-z0-9]+)(?:\|([A-Za-z0-9]+))?(?:-([A-Za-z0-9]+))?\Z")


class Book(Struct, frozen=True):
    """Where one destination's addresses come from. `prefix` is the type's in descriptions.

    `accounts` are the addresses of panels by their own account; with `own` a panel's account is taken as it is where
    it is not among them. `fitted` makes an address as the type needs it, or says what is wrong with it.
    """

    name: str
    prefix: str
    fitted: Callable[[Address, Event], Address | str]
    default: Address | None = None
    accounts: Mapping[str, Address] = {}
    own: bool = False


def read_printed(text: str) -> Address | None:
    """The form in which an address stands in the outbox; None when it is none."""
    match = _PRINTED.match(text)
    return Address(match[1], match[2], match[3]) if match else None


def written_address(prefix: str, text: str) -> Address:
    """An address as it stands behind the prefix in a description. Raises ValueError."""
    notation = NOTATIONS[prefix.lower()]
    found = notation.read(text)
    if isinstance(found, str):
        raise ValueError(f"{text[:80]!r}: {found}; expected what follows the colon in {notation.form}")
    return _plain(found)


def address_of(event: Event, device: Device | None, book: Book) -> Addressed:
    """The panel's account, the device's tag, the device's list, the default: the first there is."""
    tagged = find(event.place.description if device is None else device.description, book.prefix)
    warning = "; ".join(f"description of {event.device_id}: {each}" for each in tagged.warnings)
    own = _own(event, book)
    if own is not None:
        return _addressed(event, own, book, ORIGIN_OWN, "")
    if tagged.address is not None:
        return _addressed(event, _plain(tagged.address), book, ORIGIN_TAG, warning)
    if device is not None and book.name in device.addresses:
        return _addressed(event, device.addresses[book.name], book, ORIGIN_DEVICE, warning)
    if book.default is not None:
        return _addressed(event, book.default, book, ORIGIN_DEFAULT, warning)
    return Addressed(problem=_nowhere(event, book), warning=warning)


def _own(event: Event, book: Book) -> Address | None:
    """A panel's account, by the table; its area and zone stay with it."""
    own = event.address
    if own is None:
        return None
    given = book.accounts.get(own.account)
    if given is not None:
        return Address(given.account, given.area or own.area, given.zone or own.zone)
    return Address(own.account, own.area, own.zone) if book.own else None


def _plain(found: Address | Recipients) -> Address:
    """Receiver and prefix mean nothing in a mail; a mail address stands in the account."""
    if isinstance(found, Recipients):
        return Address(str(found))
    return Address(found.account, found.area, found.zone)


def _addressed(event: Event, found: Address, book: Book, origin: str, warning: str) -> Addressed:
    fitted = book.fitted(found, event)
    if isinstance(fitted, str):
        return Addressed(origin=origin, problem=f"{found} from {origin}: {fitted}", warning=warning)
    return Addressed(printed_address(fitted), fitted.account, origin, warning=warning)


def _nowhere(event: Event, book: Book) -> str:
    form = NOTATIONS[book.prefix.lower()].form
    panel = f", or name the panel {event.address.account} in accounts" if event.address else ""
    return (
        f"the event has no address at {book.name}: write {form} into the description of "
        f"{event.device_id or 'its device'}{panel}, or set account in [[destinations]] {book.name}"
    )
