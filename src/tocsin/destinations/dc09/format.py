"""An event as a DC-09 message, and messages as people read them. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.engine.contracts import Addressed
from tocsin.model.event import Address, Event
from tocsin.protocols.codes import outbound_sia
from tocsin.protocols.dc09.fitting import fit
from tocsin.protocols.dc09.frames import RawFrame
from tocsin.protocols.dc09.message import Extended, Message
from tocsin.protocols.dc09.text import printable
from tocsin.protocols.dc09.transmitter import Acknowledged
from tocsin.protocols.translate import DataOptions, Remembered, station_data

LAST_NUMBER = 9999
_UNDATED = datetime.min.replace(tzinfo=UTC)
_HEX = re.compile(r"\\x([0-9A-F]{2})")
_PLAIN_FRAME = re.compile(rb"\n?[ -\[\]-~]*\r?\Z")
_NAMES = {"0A": "<LF>", "0D": "<CR>"}


def sequence(number: int) -> str:
    """The running number as it goes out: 0001 to 9999 and from the start again (dc09.md 5)."""
    return f"{(number - 1) % LAST_NUMBER + 1:04d}"


def expressible(settings: Dc09Settings, event: Event, addressed: Addressed) -> Addressed:
    """The same, unless the format has no code for the event."""
    if settings.format == "SIA-DCS" and not outbound_sia(event.kind, event.state, event.code, settings.codes):
        return replace(addressed, unsupported=f"SIA has no code for {event.kind}; one can be set in codes")
    return addressed


def options(settings: Dc09Settings) -> DataOptions:
    wanted = settings.fields
    return DataOptions(
        site=wanted.area,
        device=wanted.device,
        occurred=wanted.time,
        link=wanted.link,
        info=wanted.info,
        position=wanted.position,
        occurred_time=settings.occurred_time,
        encoding=settings.encoding,
        dcs_group_as_ri=settings.dcs_group_as_ri,
        overrides=settings.codes,
        numbers_in_text=settings.oversized_numbers == "text",
    )


def event_message(
    settings: Dc09Settings,
    event: Event,
    where: Address,
    number: int,
    wanted: DataOptions | None = None,
    pictures: Sequence[str] = (),
    remembered: Remembered | None = None,
) -> Message:
    """The message, shortened where it would be too long. `wanted` is `options(settings)`, where that is at hand;
    `pictures` are the names or links of those that are at the station already; `remembered` belongs to these settings.

    Raises Dc09Error, Unsendable when it cannot be expressed.
    """
    wanted = wanted or options(settings)
    if pictures and settings.photos is not None and settings.photos.field == "V":
        own = [event.url] if event.url and wanted.link else []
        event, wanted, pictures = replace(event, url=",".join([*own, *pictures])), replace(wanted, link=True), ()
    data, extended = station_data(settings.format, event, where, wanted, pictures, remembered)
    message = Message(
        token=settings.format,
        seq=sequence(number),
        account=where.account,
        prefix=where.prefix or "0",
        receiver=where.receiver,
        encrypted=settings.key is not None,
        data=data,
        extended=tuple([Extended(letter, value) for letter, value in extended]),
        timestamp=_UNDATED,
    )
    return fit(message)


def link_test(where: Address, encrypted: bool) -> Message:
    """NULL, with the number 0000 that most transmitters use (dc09.md 5)."""
    return Message("NULL", "0000", where.account, where.prefix or "0", where.receiver, encrypted)


def shown(frame: bytes) -> str:
    """A frame for the trace: control bytes as `<LF>`, `<0A>`, keys masked."""
    if _PLAIN_FRAME.match(frame) and b"[K" not in frame:
        return frame.decode("ascii").replace("\n", "<LF>").replace("\r", "<CR>")
    return _shown(frame)


def _shown(frame: bytes) -> str:
    return _HEX.sub(lambda match: _NAMES.get(match[1], f"<{match[1]}>"), printable(frame))


def clear_text(message: Message) -> str:
    """What an encrypted frame says, without pad and timestamp."""
    blocks = b"".join(b"[" + each.letter.encode() + each.value + b"]" for each in message.extended)
    return shown(b"[" + message.data + b"]" + blocks)


def receipt(raw: RawFrame, verdict: Acknowledged) -> str:
    """The station's answer in readable form: the frame, and what it had to say."""
    said = f": {shown(verdict.data)}" if verdict.kind == "rsp" and verdict.data else ""
    return f"{shown(raw.body)}{said}"
