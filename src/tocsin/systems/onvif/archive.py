"""Recordings of one device (Profile G): searches that are bounded and ended, and where to replay from."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from yarl import URL

from tocsin.engine.systems import NotSupported, ProtocolFault, Span, SystemFault, Unreachable
from tocsin.protocols import xml
from tocsin.systems.onvif import facts, recorded
from tocsin.systems.onvif.device import OnvifDevice
from tocsin.systems.onvif.recorded import Change, Recording
from tocsin.systems.onvif.soap import SoapFault

if TYPE_CHECKING:
    from lxml import etree

SEARCH_LIMIT_S = 60.0
MOST_FOUND = 1000
AT_ONCE = 100
WAIT_S = 5
LONGEST_SEARCH = 200
"""Answers of one search."""
_KEEP_ALIVE = "<tse:KeepAliveTime>PT60S</tse:KeepAliveTime>"


class Archive:
    """Everything raises SystemFault."""

    def __init__(self, device: OnvifDevice) -> None:
        self._device = device

    async def recordings(self) -> list[Recording]:
        """All that the device holds. Raises NotSupported where it has no search."""
        body = (
            f"<tse:FindRecordings><tse:Scope/><tse:MaxMatches>{MOST_FOUND}</tse:MaxMatches>"
            f"{_KEEP_ALIVE}</tse:FindRecordings>"
        )
        found: list[Recording] = []
        await self._search(body, "GetRecordingSearchResults", lambda answer: found.extend(recorded.recordings(answer)))
        return found

    async def changes(self, tokens: list[str], span: Span) -> list[Change]:
        """When these recordings began and ceased within the span, and how they stood at its start. Empty where the
        device does not tell: not all that have recordings keep their history.
        """
        scope = "".join(f"<tt:IncludedRecordings>{xml.content(token)}</tt:IncludedRecordings>" for token in tokens)
        body = (
            f"<tse:FindEvents><tse:StartPoint>{_text(span.start)}</tse:StartPoint>"
            f"<tse:EndPoint>{_text(span.end)}</tse:EndPoint><tse:Scope>{scope}</tse:Scope><tse:SearchFilter>"
            '<wsnt:TopicExpression xmlns:tns1="http://www.onvif.org/ver10/topics" '
            'Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
            f"tns1:{recorded.TRACK_STATE}</wsnt:TopicExpression></tse:SearchFilter>"
            "<tse:IncludeStartState>true</tse:IncludeStartState>"
            f"<tse:MaxMatches>{MOST_FOUND}</tse:MaxMatches>{_KEEP_ALIVE}</tse:FindEvents>"
        )
        found: list[Change] = []
        with suppress(NotSupported, ProtocolFault):
            await self._search(body, "GetEventSearchResults", lambda answer: found.extend(recorded.changes(answer)))
        return found

    async def replay_uri(self, recording: str) -> str:
        """RTSP address of a recording, on the host we know the device by, without a login in it."""
        body = (
            "<trp:GetReplayUri><trp:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>"
            "<tt:Protocol>RTSP</tt:Protocol></tt:Transport></trp:StreamSetup>"
            f"<trp:RecordingToken>{xml.content(recording)}</trp:RecordingToken></trp:GetReplayUri>"
        )
        endpoint = self._device.line.endpoint
        try:
            url = URL(facts.uri(await self._device.ask("trp", body)))
        except SoapFault as fault:
            raise ProtocolFault(f"{endpoint} gives no address for the replay: {fault}") from None
        except ValueError:
            raise ProtocolFault(f"{endpoint} gives an address for the replay that cannot be read") from None
        if url.scheme not in ("rtsp", "rtsps") or not url.host:
            raise ProtocolFault(f"{endpoint} gives {str(url)[:100]!r} as address for the replay: not RTSP")
        return str(url.with_user(None).with_host(endpoint.host))

    async def _search(self, body: str, results: str, take: Callable[["etree._Element"], None]) -> None:
        try:
            async with asyncio.timeout(SEARCH_LIMIT_S), self._begun(body) as token:
                asked = (
                    f"<tse:{results}><tse:SearchToken>{xml.content(token)}</tse:SearchToken>"
                    f"<tse:MinResults>1</tse:MinResults><tse:MaxResults>{AT_ONCE}</tse:MaxResults>"
                    f"<tse:WaitTime>PT{WAIT_S}S</tse:WaitTime></tse:{results}>"
                )
                for _ in range(LONGEST_SEARCH):
                    answer = await self._device.ask("tse", asked, WAIT_S)
                    take(answer)
                    if recorded.is_over(answer):
                        return
                raise ProtocolFault(f"{self._device.line.endpoint} does not end its search of recordings")
        except TimeoutError:
            where = self._device.line.endpoint
            raise Unreachable(f"{where} had not searched its recordings after {SEARCH_LIMIT_S:.0f} s") from None
        except SoapFault as fault:
            raise ProtocolFault(f"{self._device.line.endpoint} does not search its recordings: {fault}") from None

    @asynccontextmanager
    async def _begun(self, body: str) -> AsyncIterator[str]:
        """The search's token; devices hold few searches at once, so each is ended, however it went."""
        token = recorded.search_token(await self._device.ask("tse", body))
        if not token:
            raise ProtocolFault(f"{self._device.line.endpoint} begins a search of recordings without a token")
        try:
            yield token
        finally:
            ending = f"<tse:EndSearch><tse:SearchToken>{xml.content(token)}</tse:SearchToken></tse:EndSearch>"
            with suppress(SystemFault, SoapFault):
                await asyncio.shield(self._device.ask("tse", ending))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
