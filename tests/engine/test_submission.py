"""Event JSON: what is taken, what is refused with which words."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.contracts import Refused
from tocsin.engine.submission import read_event, submission

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
SPEC_EXAMPLE = b"""{"id": "a1", "kind": "motion", "state": "new", "device_id": "01AD2DD41C0000C1",
 "occurred_at": "2024-05-30T22:15:04+03:00",
 "actors": [{"class": "person", "confidence": 0.93, "box": [0.1, 0.2, 0.3, 0.6]}],
 "text": "north gate", "url": "https://example.net/e/1", "battery": 87, "signal_asu": 19,
 "location": {"lat": 59.437, "lon": 24.752}, "photos_expected": 1, "classification": "done",
 "photos": [{"content_type": "image/jpeg", "data": "/9j/"}]}"""


def test_the_published_example_is_read_whole() -> None:
    given_event = submission(read_event(SPEC_EXAMPLE), "detectors", NOW)
    event = given_event.event
    assert event.occurred_at == datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
    assert event.zone == "+03:00"
    assert event.actors[0].cls == "person"
    assert event.actors[0].box == (0.1, 0.2, 0.3, 0.6)
    assert event.location is not None
    assert event.location.lat == 59.437
    assert given_event.photos[0].data == b"\xff\xd8\xff"
    assert given_event.digest


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"[]", "Expected `object`"),
        (b'{"device_id": "a"}', "missing required field `kind`"),
        (b'{"kind": "motion"}', "missing required field `device_id`"),
        (b'{"kind": "explosion", "device_id": "a"}', "Invalid enum value 'explosion' - at `$.kind`"),
        (b'{"kind": "motion", "device_id": "a", "colour": 1}', "unknown field `colour`"),
        (b'{"kind": "motion", "device_id": 7}', "Expected `str`, got `int` - at `$.device_id`"),
        (b'{"kind": "motion", "device_id": "a", "occurred_at": "yesterday"}', "at `$.occurred_at`"),
        (b'{"kind": "motion", "device_id": "a", "occurred_at": "2026-01-01T00:00:00"}', "timezone"),
        (b'{"kind": "motion", "device_id": "a", "battery": 101}', "at `$.battery`"),
        (b'{"kind": "motion", "device_id": "a", "actors": [{"class": "dog"}]}', "at `$.actors[0].class`"),
        (b'{"kind": "motion", "device_id": "a", "actors": ' + b"[" * 5000 + b"]" * 5000 + b"}", "at `$.actors[0]`"),
        (b'{"kind": "motion", "device_id": "a", "photos": [{"data": "%%%"}]}', "at `$.photos[0].data`"),
    ],
)
def test_bad_input_is_refused_with_its_place(body: bytes, words: str) -> None:
    with pytest.raises(Refused) as refused:
        read_event(body)
    assert words in str(refused.value)


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-03-05T08:16:00Z"])
def test_an_impossible_time_keeps_the_alarm_with_the_time_of_arrival(at: str) -> None:
    body = msgspec.json.encode({"kind": "motion", "device_id": "a", "occurred_at": at})
    given_event = submission(read_event(body), "detectors", NOW)
    assert given_event.event.occurred_at == NOW
    assert given_event.event.flags == ("time_absurd",)
    assert "cannot be right" in given_event.warnings[0]


def test_the_digest_tells_contents_apart_and_knows_a_repeat() -> None:
    one = submission(read_event(SPEC_EXAMPLE), "detectors", NOW)
    same = submission(read_event(SPEC_EXAMPLE), "detectors", datetime(2027, 1, 1, tzinfo=UTC))
    other = submission(read_event(SPEC_EXAMPLE.replace(b"north", b"south")), "detectors", NOW)
    photo = submission(read_event(SPEC_EXAMPLE.replace(b"/9j/", b"/9j+")), "detectors", NOW)
    assert one.digest == same.digest
    assert len({one.digest, other.digest, photo.digest}) == 3


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_give_an_event_or_a_refusal(body: bytes) -> None:
    try:
        read_event(body)
    except Refused as refused:
        assert str(refused)
