"""Which stretches of time a recording server holds of a camera (connectors.md 4.9, SequencesGet)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tocsin.engine.systems import ProtocolFault, Span, SystemFault, Unreachable
from tocsin.protocols.xml import NotXml, content, first, local_name, read, text_of
from tocsin.systems.milestone.answers import fault_of, said
from tocsin.systems.milestone.moments import instant, written
from tocsin.systems.milestone.recorders import Recorders
from tocsin.systems.milestone.resources import RecordingServer
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

if TYPE_CHECKING:
    from lxml import etree

PATH = "/RecorderCommandService/RecorderCommandService.asmx"
SPACE = "http://videoos.net/2/XProtectCSRecorderCommand"
RECORDED = "f9c62604-d0c5-4050-ae25-72de51639b14"
"""The type of sequence that recording servers call RecordingSequence."""
MOST_AT_ONCE = 500
MOST_ASKED = 400
ANSWER_LIMIT = 4 * 1024 * 1024


class TokenRefused(SystemFault):
    """The recording server answers with a fault, as for a token it does not know."""


class Recordings:
    """Asks the recording server, a page after the other."""

    def __init__(self, recorders: Recorders, timeout_s: float) -> None:
        self._recorders = recorders
        self._timeout_s = timeout_s

    async def of(self, camera: str, span: Span, recorder: RecordingServer | None) -> Sequence[Span]:
        """`recorder` None: asked for. Raises SystemFault."""
        server = recorder or await self._recorders.of(camera)
        web = self._recorders.web(server)
        try:
            return merged(await self._all(web, camera, span), span)
        finally:
            await web.aclose()

    async def _all(self, web: WebServer, camera: str, span: Span) -> list[Span]:
        """In which order a full answer counts, from the oldest or from the newest, is not published: what it leaves
        out on either side is asked for.
        """
        found: list[Span] = []
        open_ = [span]
        for _ in range(MOST_ASKED):
            if not open_:
                return found
            asked = open_.pop()
            page = await self._page(web, camera, asked)
            found += page
            open_ += left_of(asked, page)
        raise ProtocolFault(f"the recordings have no end after {MOST_ASKED} questions for {MOST_AT_ONCE} each")

    async def _page(self, web: WebServer, camera: str, span: Span) -> list[Span]:
        token = await self._recorders.token.value(self._timeout_s)
        try:
            return await self._asked(web, camera, span, token)
        except TokenRefused:
            self._recorders.token.forget()
            return await self._asked(web, camera, span, await self._recorders.token.value(self._timeout_s))

    async def _asked(self, web: WebServer, camera: str, span: Span, token: str) -> list[Span]:
        headers = (("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{SPACE}/SequencesGet"'))
        body = sequences_call(camera, token, span)
        try:
            answer = await web.ask("POST", PATH, headers, body, self._timeout_s)
        except TransportError as error:
            raise Unreachable(said(error)) from error
        return read_sequences(answer)


def sequences_call(camera: str, token: str, span: Span) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body><SequencesGet xmlns="{SPACE}"><token>{content(token)}</token><deviceId>{content(camera)}</deviceId>'
        f"<sequenceType>{RECORDED}</sequenceType><minTime>{written(span.start)}</minTime>"
        f"<maxTime>{written(span.end)}</maxTime><maxCount>{MOST_AT_ONCE}</maxCount></SequencesGet></s:Body></s:Envelope>"
    ).encode()


def read_sequences(answer: HttpAnswer) -> list[Span]:
    """As the recording server gives them. Raises SystemFault."""
    try:
        root = read(answer.body, ANSWER_LIMIT)
    except NotXml as error:
        if answer.status != 200:
            raise fault_of(answer, "the recording server's list of recordings") from None
        raise ProtocolFault(f"the recording server's list of recordings cannot be read: {error}") from None
    if first(root, "Fault") is not None:
        reason = text_of(first(root, "faultstring"))[:200] or "no reason given"
        raise TokenRefused(f"the recording server does not tell its recordings: {reason}")
    if first(root, "SequencesGetResult") is None:
        raise ProtocolFault("the recording server's list of recordings is answered with something else")
    return [_entry(one) for one in root.iter() if local_name(one) == "SequenceEntry"]


def left_of(asked: Span, page: Sequence[Span]) -> list[Span]:
    """What a full page leaves open on either side of it; nothing, where asking on would lead nowhere."""
    if len(page) < MOST_AT_ONCE:
        return []
    first_, last = min(one.start for one in page), max(one.end for one in page)
    sides = [Span(asked.start, first_), Span(last, asked.end)]
    return [one for one in sides if timedelta(0) < one.length < asked.length]


def merged(found: Iterable[Span], within: Span) -> list[Span]:
    """Clipped, and those that touch made one; oldest first."""
    stretches: list[Span] = []
    for one in sorted(found, key=lambda each: each.start):
        clipped = Span(max(one.start, within.start), min(one.end, within.end))
        if clipped.start >= clipped.end:
            continue
        if stretches and clipped.start <= stretches[-1].end:
            clipped = Span(stretches[-1].start, max(stretches.pop().end, clipped.end))
        stretches.append(clipped)
    return stretches


def _entry(element: "etree._Element") -> Span:
    begin, end = (_time(text_of(first(element, name))) for name in ("TimeBegin", "TimeEnd"))
    return Span(begin, end)


def _time(text: str) -> datetime:
    at = instant(text, "UTC")
    if at is None:
        raise ProtocolFault(f"the recording server's list of recordings has a time that is none: {text[:40]!r}")
    return at
