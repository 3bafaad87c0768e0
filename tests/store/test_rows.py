"""Values survive the way into columns and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from storekit.values import arrival, event

from tocsin.store.rows import LONGEST_TEXT, bounded, event_body, event_of, instant, microseconds, plain, prepare


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
def test_an_event_comes_back_whatever_its_id_and_text(event_id, text):
    before = event(event_id, text=text, flags=("test",), photos=2)
    assert event_of(event_id, event_body(before)) == before


def test_the_body_has_no_id():
    assert "secret-id" not in event_body(event("secret-id"))
    assert event_body(event("x")).startswith('{"kind":"motion"')


def test_the_same_body_serves_under_another_id():
    before = event('a"b')
    assert event_of("alternate", event_body(before)) == replace(before, id="alternate")


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back_to_the_microsecond(when):
    assert instant(microseconds(when)) == when


def test_instants_of_any_zone_are_the_same_instant():
    there = datetime(2024, 5, 30, 22, 15, 4, 1, tzinfo=timezone(timedelta(hours=3)))
    assert instant(microseconds(there)) == there


def test_an_instant_without_zone_is_refused():
    with pytest.raises(TypeError):
        microseconds(datetime(2024, 5, 30))


def test_nul_never_reaches_a_column():
    assert plain("a\0b") == "a␀b"
    with pytest.raises(ValueError, match="NUL"):
        prepare(arrival("a\0b"))


def test_long_texts_say_how_much_is_missing():
    assert bounded("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert bounded("x" * (LONGEST_TEXT + 5)).endswith("… (5 more characters)")
