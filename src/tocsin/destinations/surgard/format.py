"""An event as a Sur-Gard record, and records as people read them. Pure."""

from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tocsin.destinations.surgard.settings import LinkedSettings, SurgardSettings
from tocsin.engine.contracts import Addressed
from tocsin.model.event import Address, Event
from tocsin.protocols import contact_id
from tocsin.protocols.codes import outbound_sia
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.sia.writing import clean
from tocsin.protocols.surgard import writing
from tocsin.protocols.surgard.sender import Outcome
from tocsin.protocols.text import ascii_of
from tocsin.protocols.translate import DataOptions, Format, station_data

_SHORTEST_NAME = 4
_LINK_SAFE = frozenset("!#$%&'()*+,-./0123456789:;=?@_~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def expressible(settings: LinkedSettings, event: Event, addressed: Addressed) -> Addressed:
    """The same, unless the format has no code for the event."""
    if settings.writes_sia() and not outbound_sia(event.kind, event.state, event.code, settings.codes):
        return replace(addressed, unsupported=f"SIA has no code for {event.kind}; one can be set in codes")
    return addressed


def event_record(settings: SurgardSettings, event: Event, where: Address, zone: ZoneInfo) -> bytes:
    """The record without its end mark; the same whenever it is made. Raises Unsendable."""
    head = writing.header(where.receiver or settings.receiver, where.prefix or settings.line, settings.line_digits)
    if settings.format == "contact-id":
        record = contact_id_record(settings, head, event, where)
    else:
        record = _sia2(settings, head, event, where)
    return writing.with_clock(record, event.occurred_at.astimezone(zone)) if settings.clock else record


def heartbeat(settings: SurgardSettings) -> bytes:
    """Always under the real receiver number (stations.md 6)."""
    return writing.heartbeat(settings.receiver, settings.line, settings.line_digits)


def contact_id_record(settings: LinkedSettings, head: str, event: Event, where: Address) -> bytes:
    """`5011 181234E12101001`. Raises Unsendable."""
    said = contact_id_report(settings, event, where)
    account = writing.account(where.account, settings.account_width, settings.account_fill)
    return writing.contact_id(head, account, said.qualifier + said.code, said.group, said.zone)


def contact_id_report(settings: LinkedSettings, event: Event, where: Address) -> contact_id.CidEvent:
    """Qualifier, code, group and zone of an event. Raises Unsendable."""
    said = contact_id.read(_block("ADM-CID", settings, event, where))
    if isinstance(said, contact_id.Unreadable):
        raise Unsendable(f"{said.raw!r} is no Contact ID report")
    return said


def _block(form: Format, settings: LinkedSettings, event: Event, where: Address) -> bytes:
    options = DataOptions(
        dcs_group_as_ri=True,
        overrides=settings.codes,
        numbers_in_text=event.address is not None and settings.oversized_numbers == "zero",
    )
    return station_data(form, event, where, options)[0]


def _sia2(settings: SurgardSettings, head: str, event: Event, where: Address) -> bytes:
    """Names are shortened, and links left out, to keep within `longest` (surgard.md 6.5)."""
    block = _block("SIA-DCS", settings, event, where)
    room = settings.longest - len(writing.sia2(head, block))
    if settings.zone_names:
        name = _name(event, room - 2)
        block += b"^" + name + b"^" if name else b""
        room -= len(name) + 2
    if settings.link and event.url and len(event.url) + 2 <= room and _LINK_SAFE.issuperset(event.url):
        block += b"|A" + event.url.encode("ascii")
    return writing.sia2(head, block)


def _name(event: Event, longest: int) -> bytes:
    name = clean(ascii_of(event.place.name)).strip()[: max(0, longest)].strip()
    return name.encode("ascii") if len(name) >= min(_SHORTEST_NAME, len(event.place.name)) else b""


def shown(record: bytes) -> str:
    """A record for the trace: control bytes as `<14>`."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"<{byte:02X}>" for byte in record)


def answer_shown(outcome: Outcome, ack: bytes, nak: bytes) -> str:
    return {"acknowledged": shown(ack), "refused": shown(nak)}.get(outcome, "")
