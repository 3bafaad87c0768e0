"""An event as the record a MicroKey receiver driver reads (stations.md 7.10, receivers.md 7). Pure."""

from tocsin.destinations.microkey.settings import MicrokeySettings
from tocsin.destinations.surgard.format import contact_id_record, contact_id_report
from tocsin.destinations.templates import TemplateProblem
from tocsin.destinations.words import words
from tocsin.model.event import Address, Event
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.surgard import writing
from tocsin.protocols.text import ascii_of

LONGEST = 500
_LINE_DIGITS = 1


def event_record(settings: MicrokeySettings, event: Event, where: Address) -> bytes:
    """The record without its end mark. Raises Unsendable."""
    head = writing.header(where.receiver or settings.receiver, where.prefix or settings.line, _LINE_DIGITS)
    if settings.frame_template is None:
        return contact_id_record(settings, head, event, where)
    said = contact_id_report(settings, event, where)
    values = words(event, where, said.code, event.url, 0, said.zone)
    values |= {
        "receiver": head[:2],
        "line": head[2:],
        "account": writing.account(where.account, settings.account_width, settings.account_fill),
        "letter": writing.LETTERS[said.qualifier],
        "group": said.group,
    }
    try:
        record = ascii_of(settings.frame_template.render(values)).encode("ascii")
    except TemplateProblem as error:
        raise Unsendable(str(error)) from error
    if not record.strip() or len(record) > LONGEST:
        raise Unsendable(f"frame_template makes a record of {len(record)} characters; 1 to {LONGEST} can be sent")
    return record


def heartbeat(settings: MicrokeySettings) -> bytes:
    if settings.heartbeat is None:
        return b""
    return settings.heartbeat_text.encode("ascii") or writing.heartbeat(settings.receiver, settings.line, _LINE_DIGITS)
