"""The arming schedule: what is written, what it says at an instant, and the two nights a year with another hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.arming_schedule import DAYS, Phase, arming_schedule

TALLINN = ZoneInfo("Europe/Tallinn")
NIGHTS = "Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TALLINN)


def shown(at: datetime | None) -> str:
    return at.astimezone(TALLINN).strftime("%a %d %H:%M") if at else ""


def says(schedule: str, now: str) -> tuple[bool, str, str, str]:
    phase = arming_schedule(schedule).phase(local(now), TALLINN)
    return phase.armed, shown(phase.since), shown(phase.until), shown(phase.next_arming)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Monday 2 March 2026; the weekend flows into Friday's night, and ends where Sunday does
        ("2026-03-02 00:00", (False, "Mon 02 00:00", "Mon 02 18:00", "Mon 02 18:00")),
        ("2026-03-02 17:59", (False, "Mon 02 00:00", "Mon 02 18:00", "Mon 02 18:00")),
        ("2026-03-02 18:00", (True, "Mon 02 18:00", "Tue 03 06:00", "Tue 03 18:00")),
        ("2026-03-03 05:59", (True, "Mon 02 18:00", "Tue 03 06:00", "Tue 03 18:00")),
        ("2026-03-03 06:00", (False, "Tue 03 06:00", "Tue 03 18:00", "Tue 03 18:00")),
        ("2026-03-07 12:00", (True, "Fri 06 18:00", "Mon 09 00:00", "Mon 09 18:00")),
    ],
)
def test_a_week(now: str, expected: tuple[bool, str, str, str]) -> None:
    assert says(NIGHTS, now) == expected


@pytest.mark.parametrize(
    ("schedule", "now", "expected"),
    [
        ("Mon-Sun 00:00-24:00", "2026-03-04 12:00", (True, "", "", "")),
        ("Sat-Mon 08:00-09:00", "2026-03-02 08:30", (True, "Mon 02 08:00", "Mon 02 09:00", "Sat 07 08:00")),
        ("Wed 12:00-13:00", "2026-03-05 08:30", (False, "Wed 04 13:00", "Wed 11 12:00", "Wed 11 12:00")),
        ("Wed 12:00-13:00, 20:00-21:00", "2026-03-04 13:00", (False, "Wed 04 13:00", "Wed 04 20:00", "Wed 04 20:00")),
        (
            "Mon 23:00-23:30;Tue 00:00-01:00",
            "2026-03-02 23:45",
            (False, "Mon 02 23:30", "Tue 03 00:00", "Tue 03 00:00"),
        ),
    ],
)
def test_other_schedules(schedule: str, now: str, expected: tuple[bool, str, str, str]) -> None:
    assert says(schedule, now) == expected


@pytest.mark.parametrize(
    ("schedule", "starts", "ends"),
    [
        # 29 March 2026, Tallinn: 02:59 EET is followed by 04:00 EEST; 25 October: 03:59 EEST by 03:00 EET
        ("Sun 02:30-05:00", "2026-03-29T00:30+00:00", "2026-03-29T02:00+00:00"),
        ("Sun 03:30-05:00", "2026-03-29T00:30+00:00", "2026-03-29T02:00+00:00"),
        ("Sun 01:00-03:30", "2026-03-28T23:00+00:00", "2026-03-29T01:30+00:00"),
        ("Sun 03:30-05:00", "2026-10-25T00:30+00:00", "2026-10-25T03:00+00:00"),
        ("Sun 01:00-03:30", "2026-10-24T22:00+00:00", "2026-10-25T01:30+00:00"),
    ],
)
def test_the_nights_when_the_clock_is_set_are_rather_armed_than_not(schedule: str, starts: str, ends: str) -> None:
    start, end = datetime.fromisoformat(starts), datetime.fromisoformat(ends)
    phase = arming_schedule(schedule).phase(start, TALLINN)
    assert (phase.armed, phase.since, phase.until) == (True, start, end)
    assert not arming_schedule(schedule).phase(start - timedelta(seconds=1), TALLINN).armed
    assert not arming_schedule(schedule).phase(end, TALLINN).armed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Mon-Fri", "'Mon-Fri' names no days or no times"),
        ("", "'' names no days or no times"),
        (NIGHTS + ";", "'' names no days or no times"),
        ("Mo 18:00-06:00", "'Mo' is no day: Mon, Tue"),
        ("mon 18:00-06:00", "'mon' is no day"),
        ("Mon-Fri-Sat 18:00-06:00", "'Fri-Sat' is no day"),
        ("Mon 18-06", "'18-06' is no span of time"),
        ("Mon 18:60-19:00", "'18:60-19:00' is no time of day"),
        ("Mon 24:00-06:00", "'24:00-06:00' is no time of day"),
        ("Mon 18:00-24:01", "'18:00-24:01' is no time of day"),
        ("Mon 18:00-18:00", "'18:00-18:00' is empty; a whole day is 00:00-24:00"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        arming_schedule(text)
    assert str(raised.value).startswith(says)


minutes = st.integers(0, 1439)
rules = st.lists(
    st.tuples(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True), minutes, minutes).filter(
        lambda rule: rule[1] != rule[2]
    ),
    min_size=1,
    max_size=4,
)


@given(rules, st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)))
def test_phases_follow_each_other_without_gap(given_rules: list[tuple[list[str], int, int]], now: datetime) -> None:
    text = "; ".join(
        f"{','.join(days)} {a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for days, a, b in given_rules
    )
    schedule = arming_schedule(text)
    phase = schedule.phase(now, TALLINN)
    if phase.until is None:
        assert phase == Phase(True, None, None, None)
        return
    assert phase.since is None or phase.since <= now
    assert now < phase.until
    following = schedule.phase(phase.until, TALLINN)
    assert (following.armed, following.since) == (not phase.armed, phase.until)
    assert phase.next_arming == (following.until if phase.armed else phase.until)
