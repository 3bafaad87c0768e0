"""Where an event goes: the one look-up that all types of station share (receivers.md 1.2, stations.md 2). Pure.

The order: the number the event itself brings, where the type takes it; a tag in the device's description, under the
destination's own name or its type's prefix; the device's address list; the area's, then those of the areas above it;
the destination's default; else a problem that everybody sees.
"""

from collections.abc import Callable

from msgspec.structs import replace

from tocsin.destinations.settings import DestinationSettings
from tocsin.engine.contracts import (
    ORIGIN_AREA,
    ORIGIN_DEFAULT,
    ORIGIN_DEVICE,
    ORIGIN_OWN,
    ORIGIN_TAG,
    Addressed,
    AreaAddress,
    no_area_address,
)
from tocsin.engine.routing import GATEWAY
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import NOTATIONS, Number, find, read

Printed = Callable[[Number, str], Addressed]
"""What a type makes of an address and its origin: the outbox's form, or the problem that it cannot be sent."""


def resolved(
    prefix: str,
    settings: DestinationSettings,
    event: Event,
    device: Device | None,
    printed: Printed,
    areas: AreaAddress = no_area_address,
    own: Callable[[Address], Address] | None = None,
    without: Addressed | None = None,
) -> Addressed:
    """The address of an event at one destination.

    `prefix` names the type's notation, such as `SIA`. `own` makes this station's number of the one a panel brings;
    None: a panel's account means nothing here. `without` is what an event gets that has no address, where the type
    can do without; None: it is set aside.
    """
    if own is not None and event.address is not None:
        return printed(own(event.address), ORIGIN_OWN)
    found = find(event.place.description if device is None else device.description, prefix, settings.name)
    warning = "; ".join(f"description of {event.device_id}: {each}" for each in found.warnings)
    if found.address is not None:
        answer = printed(found.address, ORIGIN_TAG)
    elif device is not None and settings.name in device.addresses:
        answer = printed(read(prefix, device.addresses[settings.name]), ORIGIN_DEVICE)
    elif (listed := areas(event.place.area, settings.name)) is not None:
        answer = printed(read(prefix, listed), ORIGIN_AREA)
    else:
        answer = _missing(prefix, settings, event, device, printed, without)
    return replace(answer, warning=warning) if warning else answer


def _missing(
    prefix: str,
    settings: DestinationSettings,
    event: Event,
    device: Device | None,
    printed: Printed,
    without: Addressed | None,
) -> Addressed:
    """Neither the event, nor its device, nor its area has a number."""
    # What the gateway says of itself has no device that could carry an address.
    if settings.on_missing_address == "default" or (event.source == GATEWAY and device is None):
        default = settings.default_address()
        if default is not None:
            return printed(default, ORIGIN_DEFAULT)
        return without or Addressed(problem=_nowhere(prefix, settings, event))
    why = f"{event.device_id or 'the event'} has no address of its own at {settings.name}"
    if settings.on_missing_address == "drop":
        return Addressed(unsupported=f"on_missing_address: {why}")
    return Addressed(problem=f"{why}, and on_missing_address is error: {_remedy(prefix, settings, event)}")


def _nowhere(prefix: str, settings: DestinationSettings, event: Event) -> str:
    key = type(settings).default_key
    default = f", or set {key} in [[destinations]] {settings.name}" if key else ""
    return f"there is no address for {settings.name}: {_remedy(prefix, settings, event)}{default}"


def _remedy(prefix: str, settings: DestinationSettings, event: Event) -> str:
    notation = NOTATIONS.get(prefix.lower())
    tag = (
        f"write it as {notation.example} into the description of {event.device_id or 'its device'}, or "
        if notation
        else ""
    )
    return f'{tag}give its device or area addresses = {{ "{settings.name}" = … }}'
