"""From a panel's message to the event that is kept."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.contracts import Submission
from tocsin.model.event import Address, Event
from tocsin.protocols.dc09.frames import FrameReader, RawFrame, wrap
from tocsin.protocols.dc09.receiver import Receiver, Take
from tocsin.sources.dc09.events import Panels, submissions
from tocsin.sources.dc09.settings import Dc09SourceSettings

NOW = datetime(2026, 3, 4, 8, 15, 31, tzinfo=UTC)


def taken(body: bytes, **account: Any) -> list[Submission]:
    table = {"name": "panels", "type": "dc09", "listen": "127.0.0.1:0", "accounts": [{"account": "6F01"} | account]}
    panels = Panels(Dc09SourceSettings.model_validate(table))
    (frame,) = FrameReader().feed(wrap(body))
    assert isinstance(frame, RawFrame)
    take = Receiver(panels).judge(frame, NOW, random.Random(1))
    assert isinstance(take, Take)
    return submissions("panels", take, panels.of(take.rule), NOW)


def event(body: bytes, **account: Any) -> Event:
    (submission,) = taken(body, **account)
    return submission.event


def test_everything_a_panel_says_is_kept() -> None:
    made = event(
        b'"ADM-CID"0002R1L20#6F01[#6F01|1130 02 017][H08:15:28,03-04-2026][LNorth gate]'
        b"[Vhttps://verify.example.org/e/7f3a][SNorth depot][X024E45.1][Y059N26.2][Upic1.jpg]_08:15:30,03-04-2026",
        area="North",
        device="panel-1",
    )
    assert (made.kind, made.occurred_at) == ("burglary", datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC))
    assert made.address == Address("6F01", "02", "017", "1", "20")
    assert (made.place.area, made.device_id) == ("North", "panel-1")
    assert made.url == "https://verify.example.org/e/7f3a"
    assert made.text == "North depot; North gate; files: pic1.jpg"
    assert made.location is not None
    assert round(made.location.lat, 3) == 59.437


def test_without_a_time_of_its_own_the_event_has_that_of_arrival() -> None:
    assert event(b'"SIA-DCS"0001L0#6F01[#6F01|NBA1]_03:00:00,01-01-2011').occurred_at == NOW


def test_a_time_that_cannot_be_is_flagged_and_the_event_is_kept() -> None:
    made = event(b'"SIA-DCS"0001L0#6F01[#6F01|NBA1][H00:00:00,01-01-1980]')
    assert (made.occurred_at, made.flags) == (NOW, ("time_absurd",))


def test_a_panel_in_local_time_with_the_day_first() -> None:
    body = b'"SIA-DCS"0001L0#6F01[#6F01|Nti10:15/NBA1]_10:15:30,04-03-2026'
    made = event(body, time_zone="Europe/Tallinn", day_first=True)
    assert abs(made.occurred_at - NOW) < timedelta(minutes=1)


def test_the_time_of_occurrence_is_utc_unless_the_panel_is_known_to_write_its_own() -> None:
    body = b'"SIA-DCS"0001L0#6F01[#6F01|NBA1][H08:00:00,03-04-2026]'
    assert event(body, time_zone="Europe/Tallinn").occurred_at.hour == 8
    assert event(body, time_zone="Europe/Tallinn", occurred_time="device").occurred_at.hour == 6


def test_a_frame_full_of_events_loses_none() -> None:
    made = taken(b'"SIA-DCS"0001L0#6F01[#6F01|N' + b"/".join([b"AT"] * 1000) + b"]")
    assert len(made) == 1000
    assert len({each.repeat_key for each in made}) == 1000


def test_the_inner_account_wins_and_is_flagged() -> None:
    made = event(b'"SIA-DCS"0001L0#6F01[#7777|NBA1]')
    assert made.address.account == "7777"
    assert made.flags == ("account_differs",)


def test_repeats_are_told_by_content_not_by_time() -> None:
    first = taken(b'"SIA-DCS"0001L0#6F01[#6F01|NBA1/NTA2]_08:15:30,03-04-2026')
    again = taken(b'"SIA-DCS"0001L0#6F01[#6F01|NBA1/NTA2]_08:15:50,03-04-2026')
    other = taken(b'"SIA-DCS"0002L0#6F01[#6F01|NBA1/NTA2]_08:15:30,03-04-2026')
    assert [each.repeat_key for each in first] == [each.repeat_key for each in again]
    assert len({each.repeat_key for each in first + other}) == 4
    assert {each.repeat_window_s for each in first} == {90.0}


@settings(max_examples=150)
@given(
    st.sampled_from([b"SIA-DCS", b"ADM-CID", b"ADM-41E"]),
    st.binary(max_size=80).map(lambda data: data.translate(None, b"\r\n")),
)
def test_whatever_stands_in_the_data_is_an_event(token: bytes, data: bytes) -> None:
    for submission in taken(b'"' + token + b'"0001L0#6F01[' + data + b"]"):
        assert submission.event.source == "panels"
        assert submission.repeat_key
