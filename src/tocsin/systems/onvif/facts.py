"""What ONVIF devices answer, read into values. Pure. Names are local names: prefixes and their order vary."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from tocsin.systems.onvif import soap

if TYPE_CHECKING:
    from lxml import etree

MOST = 512
"""Of anything a device lists: profiles, interfaces, messages."""
_SCOPE = re.compile(r"onvif://www\.onvif\.org/([A-Za-z]+)/(.+)")
# The dash between date and time is one large brand's (connectors.md 6.7).
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T-](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))?\Z")


class Information(Struct, frozen=True):
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    hardware_id: str = ""


class Interface(Struct, frozen=True):
    """One network interface; `addresses` are its IPv4 addresses, set by hand first."""

    enabled: bool
    mac: str
    addresses: tuple[str, ...] = ()


class Profile(Struct, frozen=True):
    """One media profile: what `source` sees, as `configuration` of it."""

    token: str
    source: str
    configuration: str = ""
    name: str = ""


class Scopes(Struct, frozen=True):
    name: str = ""
    location: str = ""
    hardware: str = ""


class Reference(Struct, frozen=True):
    """Where a subscription lives: its address, and the parameters that every request to it repeats as headers."""

    address: str
    parameters: tuple[str, ...] = ()


class Notification(Struct, frozen=True):
    """One message of a subscription. `operation`: Initialized, Changed, Deleted or empty. Items are (name, value)."""

    topic: str
    at: datetime | None
    operation: str = ""
    source: tuple[tuple[str, str], ...] = ()
    data: tuple[tuple[str, str], ...] = ()


def device_time(answer: "etree._Element") -> datetime | None:
    """UTCDateTime of GetSystemDateAndTime; None when the device does not know it."""
    found = next(soap.below(answer, "UTCDateTime"), None)
    if found is None:
        return None
    numbers = [soap.text(found, "Date", name) for name in ("Year", "Month", "Day")]
    numbers += [soap.text(found, "Time", name) for name in ("Hour", "Minute", "Second")]
    try:
        year, month, day, hour, minute, second = (int(number) for number in numbers)
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def instant(text: str) -> datetime | None:
    """A time as devices write it; without a zone it is taken as UTC, which ONVIF demands."""
    found = _INSTANT.match(text.strip())
    if found is None:
        return None
    *parts, fraction, sign, hours, minutes = found.groups()
    offset = f"{sign}{hours}:{minutes}" if sign else "+00:00"
    year, month, day, hour, minute, second = parts
    try:
        written = f"{year}-{month}-{day}T{hour}:{minute}:{second}.{(fraction or '0')[:6]:0<6}{offset}"
        return datetime.fromisoformat(written).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def information(answer: "etree._Element") -> Information:
    names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber", "HardwareId")
    return Information(*(soap.text(answer, name)[:200] for name in names))


def services(answer: "etree._Element") -> dict[str, str]:
    """Namespace to address, of GetServices; empty when the list is, which some firmware answers."""
    found = [(soap.text(one, "Namespace"), soap.text(one, "XAddr")) for one in _some(answer, "Service")]
    return {namespace: address for namespace, address in found if namespace and address}


_CAPABILITIES = {"Device": "tds", "Media": "trt", "Events": "tev"}


def capabilities(answer: "etree._Element") -> dict[str, str]:
    """The same of GetCapabilities, which older devices have."""
    found = next(soap.below(answer, "Capabilities"), None)
    addresses = {prefix: soap.text(found, name, "XAddr") for name, prefix in _CAPABILITIES.items()}
    return {soap.NAMESPACES[prefix]: address for prefix, address in addresses.items() if address}


def interfaces(answer: "etree._Element") -> tuple[Interface, ...]:
    return tuple(_interface(one) for one in _some(answer, "NetworkInterfaces"))


def _interface(one: "etree._Element") -> Interface:
    addresses = [
        soap.text(place, "Address")
        for name in ("Manual", "FromDHCP")
        for version in soap.below(one, "IPv4")
        for place in soap.below(version, name)
    ]
    enabled = soap.text(one, "Enabled").lower() not in ("false", "0")
    return Interface(enabled, soap.text(one, "Info", "HwAddress")[:100], tuple(filter(None, addresses)))


def scopes(answer: "etree._Element") -> Scopes:
    return scopes_in([soap.text(one) for one in _some(answer, "ScopeItem")])


def scopes_in(written: Iterable[str]) -> Scopes:
    """Percent-decoded; several locations are joined (connectors.md 6.3)."""
    found: dict[str, list[str]] = {}
    for one in written:
        fits = _SCOPE.match(one)
        if fits is not None:
            found.setdefault(fits[1].lower(), []).append(unquote(fits[2])[:200])
    first = {name: values[0] for name, values in found.items()}
    return Scopes(first.get("name", ""), "/".join(found.get("location", []))[:200], first.get("hardware", ""))


def hostname(answer: "etree._Element") -> str:
    return soap.text(next(soap.below(answer, "Name"), None))[:253]


def profiles(answer: "etree._Element") -> tuple[Profile, ...]:
    """Of Media and of Media2, which put the same things in other places. Without a video source it is left out."""
    return tuple(found for found in map(_profile, _some(answer, "Profiles")) if found is not None)


def _profile(one: "etree._Element") -> Profile | None:
    configuration = next(soap.below(one, "VideoSourceConfiguration", "VideoSource"), None)
    source = soap.text(configuration, "SourceToken")[:100]
    if configuration is None or not source:
        return None
    token, name = str(one.get("token", ""))[:100], soap.text(configuration, "Name")[:200]
    return Profile(token, source, str(configuration.get("token", ""))[:100], name)


def uri(answer: "etree._Element") -> str:
    """Of GetSnapshotUri and GetStreamUri, by either media service."""
    return soap.text(next(soap.below(answer, "Uri"), None))[:2000]


def tokens(answer: "etree._Element", name: str) -> tuple[str, ...]:
    """The tokens of what is listed, relay outputs for example."""
    return tuple(str(one.get("token"))[:100] for one in _some(answer, name) if one.get("token"))


def subscription(answer: "etree._Element") -> Reference:
    """Of CreatePullPointSubscription."""
    from lxml import etree

    reference = next(soap.below(answer, "SubscriptionReference"), None)
    parameters: list[str] = []
    for holder in () if reference is None else soap.below(reference, "ReferenceParameters"):
        for one in soap.elements(holder):
            one.set(f"{{{soap.NAMESPACES['wsa']}}}IsReferenceParameter", "true")
            one.tail = None
            parameters.append(etree.tostring(one, encoding="unicode"))
    return Reference(soap.text(reference, "Address")[:2000], tuple(parameters[:10]))


def life_s(answer: "etree._Element") -> float | None:
    """How long a subscription lives from now, by the device's own clock; None when it does not say."""
    now = instant(soap.text(next(soap.below(answer, "CurrentTime"), None)))
    end = instant(soap.text(next(soap.below(answer, "TerminationTime"), None)))
    return (end - now).total_seconds() if now is not None and end is not None else None


def notifications(answer: "etree._Element") -> tuple[Notification, ...]:
    """Of PullMessages, in their order."""
    return tuple(_notification(one) for one in _some(answer, "NotificationMessage"))


def _notification(one: "etree._Element") -> Notification:
    message = next((found for found in soap.below(one, "Message") if found.get("UtcTime")), None)
    at, operation = (None, "") if message is None else (message.get("UtcTime"), message.get("PropertyOperation", ""))
    return Notification(
        _topic(soap.child(one, "Topic")),
        instant(at) if at else None,
        str(operation)[:20],
        _items(message, "Source", "Key"),
        _items(message, "Data"),
    )


def _topic(element: "etree._Element | None") -> str:
    """With the prefix everybody writes, whatever prefix this device has bound to ONVIF's topics."""
    written = soap.text(element)[:300]
    prefix, colon, rest = written.partition(":")
    bound = None if element is None else element.nsmap.get(prefix)
    return f"tns1:{rest}" if colon and bound == "http://www.onvif.org/ver10/topics" else written


def _items(message: "etree._Element | None", *names: str) -> tuple[tuple[str, str], ...]:
    if message is None:
        return ()
    return tuple(
        (str(item.get("Name", ""))[:100], str(item.get("Value", ""))[:200])
        for part in soap.below(message, *names)
        for item in _some(part, "SimpleItem")
    )


def _some(parent: "etree._Element", name: str) -> "list[etree._Element]":
    return list(soap.below(parent, name))[:MOST]
