"""Any answer about recordings (Profile G) is stretches within what was asked for, a refusal or a sentence."""

from datetime import UTC, datetime

from tocsin.engine.systems import Span
from tocsin.systems.onvif import facts, recorded, soap

SPAN = Span(datetime(2025, 3, 8, 5, tzinfo=UTC), datetime(2025, 3, 8, 6, tzinfo=UTC))
ENVELOPE = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="urn:t"><s:Body><R>%b</R></s:Body>'
    b"</s:Envelope>"
)
SEEDS = (
    ENVELOPE % b"<SearchToken>search-1</SearchToken><SearchState>Completed</SearchState>",
    ENVELOPE
    % b"<RecordingInformation><RecordingToken>R</RecordingToken><Source><SourceId>VS1</SourceId><Name>n</Name></Source>"
    b"<EarliestRecording>2025-03-08T05:00:00Z</EarliestRecording><LatestRecording>2025-03-08T05:30:00Z"
    b"</LatestRecording><Track><TrackToken>V</TrackToken><TrackType>Video</TrackType><DataFrom>2025-03-08T05:00:00Z"
    b"</DataFrom><DataTo>2025-03-08T05:30:00+14:00</DataTo></Track></RecordingInformation>",
    ENVELOPE
    % b"<Result><RecordingToken>R</RecordingToken><TrackToken>V</TrackToken><Time>0001-01-01T00:00:00+14:00</Time>"
    b'<Topic>tns1:RecordingHistory/Track/State</Topic><Data><SimpleItem Name="IsDataPresent" Value="true"/></Data>'
    b"</Result>",
    ENVELOPE % b"<Uri>rtsp://192.0.2.9:554/replay?token=R</Uri>",
    ENVELOPE % b"<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>",
)


def one(data: bytes) -> None:
    try:
        answer = soap.answer(data)
    except (soap.NotSoap, soap.SoapFault) as refused:
        assert str(refused)
        return
    assert len(recorded.search_token(answer)) <= 200
    assert isinstance(recorded.is_over(answer), bool)
    facts.uri(answer)
    found, changed = recorded.recordings(answer), recorded.changes(answer)
    held = recorded.extent(found)
    assert held is None or held.start < held.end
    own = recorded.of_camera(found, ("VS1",), only=False)
    for some in (own, list(found)):
        for span in recorded.merged(recorded.stretches(some, changed, SPAN)):
            assert SPAN.start <= span.start < span.end <= SPAN.end
