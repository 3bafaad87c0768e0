"""An event as a Manitou packet, by a template (receivers.md 6.3, stations.md 7.9). Pure."""

import base64
from collections.abc import Sequence
from xml.sax.saxutils import escape

from tocsin.destinations.escaping import Ready, one_line
from tocsin.destinations.files import File
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.destinations.templates import TemplateProblem
from tocsin.destinations.words import words
from tocsin.model.event import Address, Event
from tocsin.protocols import manitou
from tocsin.protocols.codes import outbound_sia
from tocsin.protocols.errors import Unsendable

LAST_SIGNAL, FIRST_HEARTBEAT, LAST_NUMBER = 899_999, 900_000, 999_999
"""Packets count from 1 to 999999. Heartbeats have the last hundred thousand for themselves: a station that drops
repeated numbers never takes an alarm for the repeat of a heartbeat.
"""
_PLACE = "<?pictures?>"
_SHOWN_DATA = "[… {} bytes of {} in base64]"


def signal_number(number: int) -> int:
    """The delivery's running number as it goes out."""
    return (number - 1) % LAST_SIGNAL + 1


def heartbeat_number(count: int) -> int:
    """`count` from 0."""
    return FIRST_HEARTBEAT + count % (LAST_NUMBER - FIRST_HEARTBEAT + 1)


def event_code(settings: ManitouSettings, event: Event) -> str:
    """The site's own code, else the SIA code; empty for what SIA has no code for."""
    own = settings.codes.get(f"{event.kind}.restore" if event.state == "restore" else event.kind)
    return own or outbound_sia(event.kind, event.state, event.code)


def zone_of(event: Event, where: Address) -> str:
    """The address's zone, else the number the panel itself brought."""
    return where.zone or (event.code.number if event.code is not None else None) or event.user or ""


def packet(
    settings: ManitouSettings,
    event: Event,
    where: Address,
    number: int,
    files: Sequence[File] = (),
    shown: bool = False,
) -> bytes:
    """The document on one line. `shown`: as it may be kept, without the pictures' data. Raises Unsendable."""
    code = event_code(settings, event)
    if not code:
        raise Unsendable(f"SIA has no code for {event.kind}; give one in codes")
    zone = zone_of(event, where)
    values = words(event, where, code, event.url, number, zone, files)
    # Text on several lines would be glued together where the packet is put on one line.
    lines = {key: one_line(value) if isinstance(value, str) else value for key, value in values.items()}
    template = settings.packet_file or settings.layout().template
    try:
        text = template.render({**lines, "packet_id": number, "pictures": Ready(_PLACE)})
    except TemplateProblem as error:
        raise Unsendable(str(error)) from error
    pictures = "".join(_binary(settings, file, shown) for file in files)
    return manitou.one_line(text).replace(_PLACE, pictures).encode("utf-8", "replace")


def heartbeat(settings: ManitouSettings, number: int) -> bytes:
    account = escape(settings.account or "")
    text = settings.heartbeat_text().replace("{seq}", str(number)).replace("{account}", account)
    return text.encode("utf-8", "replace")


def _binary(settings: ManitouSettings, file: File, shown: bool) -> str:
    ending: str = file.name.rpartition(".")[2]
    kind = next((code for of, code in settings.binary_type_codes.items() if of == ending), ending)
    data = _SHOWN_DATA.format(len(file.data), file.name) if shown else base64.b64encode(file.data).decode("ascii")
    form = settings.layout().binary
    return form.replace("{type}", kind).replace("{name}", escape(file.name, {'"': "&quot;"})).replace("{data}", data)
