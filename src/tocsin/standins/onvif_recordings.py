"""What a stand-in ONVIF recorder answers about its recordings: searches that must be ended, and where to replay from.

Shapes of ONVIF's Recording Search and Replay Control specifications.
"""

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from msgspec import Struct

from tocsin.standins import onvif_answers as say
from tocsin.standins.onvif_requests import Refusal, duration, value

if TYPE_CHECKING:
    from lxml import etree

SEARCHES_AT_ONCE = 2
PREFIXES = ("tse", "trp")


class Kept(Struct, frozen=True):
    """One recording: its stretches, in order, and the source it calls its own."""

    token: str
    stretches: tuple[tuple[datetime, datetime], ...]
    source: str = "VS1"
    track: str = "VIDEO000"


class RecordingService:
    """`replay_at` is the RTSP address it gives. `history`: whether it tells when recording began and ceased.
    `slow`: answers of a search before the last one. `searches` are those that were not ended.
    """

    def __init__(self, kept: tuple[Kept, ...], replay_at: str = "") -> None:
        self.kept = kept
        self.replay_at = replay_at
        self.history = True
        self.endless = False
        self.slow = 1
        self.searches: dict[str, tuple[list[str], int]] = {}
        self.begun = 0

    def answer(self, operation: str, content: "etree._Element") -> str:
        match operation:
            case "FindRecordings":
                return self._begin(operation, [_information(one) for one in self.kept])
            case "FindEvents" if self.history:
                return self._begin(operation, self._events(content))
            case "GetRecordingSearchResults" | "GetEventSearchResults":
                return self._results(operation, content)
            case "EndSearch":
                self._found(content)
                del self.searches[value(content, "SearchToken")]
                return (
                    "<tse:EndSearchResponse><tse:Endpoint>2025-01-01T00:00:00Z</tse:Endpoint></tse:EndSearchResponse>"
                )
            case "GetReplayUri":
                return self._replay_uri(content)
        raise Refusal("ActionNotSupported", f"{operation} is not supported", "Receiver")

    def _begin(self, operation: str, found: list[str]) -> str:
        if len(self.searches) >= SEARCHES_AT_ONCE:
            raise Refusal("ResourceProblem", "too many searches at once", "Receiver")
        self.begun += 1
        token = f"search-{self.begun}"
        self.searches[token] = (found, 0)
        return f"<tse:{operation}Response><tse:SearchToken>{token}</tse:SearchToken></tse:{operation}Response>"

    def _found(self, content: "etree._Element") -> tuple[list[str], int]:
        token = value(content, "SearchToken")
        if token not in self.searches:
            raise Refusal("InvalidToken", f"there is no search {token}")
        return self.searches[token]

    def _results(self, operation: str, content: "etree._Element") -> str:
        """The first answers are empty; then all that there is, at most as many as asked for at once."""
        found, asked = self._found(content)
        duration(value(content, "WaitTime"))
        most = int(value(content, "MaxResults"))
        given, rest = (found[:most], found[most:]) if asked >= self.slow else ([], found)
        over = not self.endless and asked >= self.slow and not rest
        self.searches[value(content, "SearchToken")] = (rest, asked + 1)
        state = f"<tt:SearchState>{'Completed' if over else 'Searching'}</tt:SearchState>"
        return (
            f"<tse:{operation}Response><tse:ResultList>{state}{''.join(given)}</tse:ResultList>"
            f"</tse:{operation}Response>"
        )

    def _events(self, content: "etree._Element") -> list[str]:
        start, end = (datetime.fromisoformat(value(content, name)) for name in ("StartPoint", "EndPoint"))
        if not re.search("tns1:RecordingHistory/Track/State", value(content, "TopicExpression")):
            return []
        return [
            _event(one, at, present)
            for one in self.kept
            for at, present in [
                (start, any(first < start <= last for first, last in one.stretches)),
                *(
                    (each, n == 0)
                    for stretch in one.stretches
                    for n, each in enumerate(stretch)
                    if start <= each <= end
                ),
            ]
        ]

    def _replay_uri(self, content: "etree._Element") -> str:
        token = value(content, "RecordingToken")
        if token not in {one.token for one in self.kept}:
            raise Refusal("InvalidToken", f"there is no recording {token}")
        if value(content, "Stream") != "RTP-Unicast" or value(content, "Protocol") != "RTSP":
            raise Refusal("InvalidStreamSetup", "only RTP-Unicast over RTSP")
        return f"<trp:GetReplayUriResponse><trp:Uri>{escape(self.replay_at)}</trp:Uri></trp:GetReplayUriResponse>"


def _information(one: Kept) -> str:
    first, last = one.stretches[0][0], one.stretches[-1][1]
    return (
        f"<tt:RecordingInformation><tt:RecordingToken>{one.token}</tt:RecordingToken><tt:Source>"
        f"<tt:SourceId>{one.source}</tt:SourceId><tt:Name>{one.source}</tt:Name><tt:Location/><tt:Description/>"
        "<tt:Address/></tt:Source>"
        f"<tt:EarliestRecording>{_text(first)}</tt:EarliestRecording>"
        f"<tt:LatestRecording>{_text(last)}</tt:LatestRecording><tt:Content>all</tt:Content>"
        f"<tt:Track><tt:TrackToken>{one.track}</tt:TrackToken><tt:TrackType>Video</tt:TrackType><tt:Description/>"
        f"<tt:DataFrom>{_text(first)}</tt:DataFrom><tt:DataTo>{_text(last)}</tt:DataTo></tt:Track>"
        "<tt:RecordingStatus>Recording</tt:RecordingStatus></tt:RecordingInformation>"
    )


def _event(one: Kept, at: datetime, present: bool) -> str:
    said = say.Message(
        "tns1:RecordingHistory/Track/State", (("Track", one.track),), (("IsDataPresent", str(present)),), at
    )
    return (
        f"<tt:Result><tt:RecordingToken>{one.token}</tt:RecordingToken><tt:TrackToken>{one.track}</tt:TrackToken>"
        f"<tt:Time>{_text(at)}</tt:Time><tt:Event>{say.notification(said)}</tt:Event>"
        "<tt:StartStateEvent>false</tt:StartStateEvent></tt:Result>"
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
