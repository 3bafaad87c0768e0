"""The SOAP message of a Stages service (stations.md 7.2, receivers.md 9). Pure."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from tocsin.destinations.stages.settings import StagesSettings
from tocsin.destinations.trace import MASK
from tocsin.model.event import Address, Event
from tocsin.model.wording import headline, local_time
from tocsin.protocols import contact_id
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.translate import DataOptions, station_data
from tocsin.protocols.xml import attribute, content

_LETTERS = {"1": "E", "3": "R", "6": "P"}
_POLL_CODE = "E602"
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>\n'
    ' <Signal xmlns="{namespace}">\n{elements} </Signal>\n</soap:Body></soap:Envelope>\n'
)
Values = Mapping[str, str]
"""Element name to text; an empty one is not sent."""


def signal(settings: StagesSettings, event: Event, where: Address) -> Values:
    """What the elements of an event say. Raises Unsendable."""
    return {
        **_envelope_values(settings, where),
        "SignalCode": signal_code(settings, event, where),
        "Area": (where.area or "") if settings.area_point_elements else "",
        "Point": (where.zone or "") if settings.area_point_elements else "",
        "Date": _date(settings, event),
        "Longitude": _degrees(event.location.lon) if event.location else "",
        "Latitude": _degrees(event.location.lat) if event.location else "",
        "TestSignalFlag": "true" if event.is_test else "false",
        "Text": ", ".join(part for part in (headline(event), event.place.name, event.text) if part),
        "Url": event.url,
    }


def heartbeat(settings: StagesSettings, where: Address) -> Values:
    """A poll, or a test signal, for the default account."""
    poll = settings.heartbeat == "poll"
    flags = {"PollMessageFlag": "true" if poll else "false", "TestSignalFlag": "false" if poll else "true"}
    return {**_envelope_values(settings, where), "SignalCode": _POLL_CODE, **flags}


def envelope(settings: StagesSettings, values: Values, shown: bool = False) -> bytes:
    """The document. `shown`: as it may be kept, without the password."""
    password = settings.password.reveal() if settings.password is not None else ""
    filled = {**values, "UserPassword": MASK if shown and password else password}
    elements = []
    for field in settings.fields:
        ours, _, theirs = field.partition(":")
        if filled.get(ours):
            name = theirs or ours
            elements.append(f"  <{name}>{content(filled[ours])}</{name}>\n")
    text = _ENVELOPE.format(namespace=attribute(settings.namespace), elements="".join(elements))
    return text.encode("utf-8", "replace")


def signal_code(settings: StagesSettings, event: Event, where: Address) -> str:
    """`E130`, or with area and zone digits behind it when there are any: `E13001002`."""
    options = DataOptions(overrides=settings.codes, numbers_in_text=True)
    data, _ = station_data("ADM-CID", event, where, options)
    read = contact_id.read(data)
    if isinstance(read, contact_id.Unreadable):
        raise Unsendable(f"{read.raw} is no Contact ID")
    code = _LETTERS[read.qualifier] + read.code
    numbers = read.group + read.zone
    return code + numbers if settings.code_style == "with-area-zone" and numbers.strip("0") else code


def _envelope_values(settings: StagesSettings, where: Address) -> dict[str, str]:
    return {
        "PollMessageFlag": "false",
        "UserName": settings.user or "",
        "Receiver": where.receiver or "",
        "Line": where.prefix or "",
        "Account": where.account,
        "SignalFormat": "CID",
    }


def _date(settings: StagesSettings, event: Event) -> str:
    try:
        zone = settings.time_zone
        moment = event.occurred_at.astimezone(ZoneInfo(zone)) if zone else local_time(event)
    except OverflowError:  # the first or last day of the calendar
        moment = event.occurred_at
    return moment.strftime(settings.time_format)


def _degrees(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
