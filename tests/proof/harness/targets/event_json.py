"""Any bytes POSTed as an event are an event that can be encoded again, or refused with a sentence; nothing else."""

from datetime import UTC, datetime

import msgspec

from tocsin.engine.contracts import Refused
from tocsin.engine.event_times import EARLIEST, FURTHEST_AHEAD
from tocsin.engine.submission import read_event, submission
from tocsin.model.event import Event

NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
SECONDS = 600
SEEDS = (
    b'{"kind":"motion","device_id":"01AD2DD41C0000C1"}',
    b'{"id":"a1","kind":"motion","state":"new","device_id":"d","occurred_at":"2024-05-30T22:15:04+03:00",'
    b'"actors":[{"class":"person","confidence":0.93,"box":[0.1,0.2,0.3,0.6]}],"text":"north gate",'
    b'"url":"https://x.example.net","battery":87,"signal_asu":19,"location":{"lat":59.437,"lon":24.752},'
    b'"photos_expected":1,"classification":"done","photos":[{"content_type":"image/jpeg","data":"/9j/"}]}',
    b'{"kind":"alarm","device_id":"d","code":{"sia":"BA"},"occurred_at":"9999-12-31T23:59:59.999999-23:59"}',
    b'{"kind":"alarm","device_id":"d","code":{"contact_id":"1130"},"occurred_at":"0001-01-01T00:00:00+23:59"}',
)


def one(data: bytes) -> None:
    try:
        given = read_event(data)
        taken = submission(given, "fuzz", NOW)
    except Refused as refused:
        if not str(refused):
            raise AssertionError("refused without a sentence") from refused
        return
    event = taken.event
    assert EARLIEST <= event.occurred_at <= NOW + FURTHEST_AHEAD
    assert bool(taken.digest) == bool(given.id)
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
