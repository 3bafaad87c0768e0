"""Silence against a model that looks at everybody, listening time, and batteries at every level."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.battery import judged, said
from tocsin.engine.listening import LONGEST_STEP_S, Listening
from tocsin.engine.silences import Silences
from tocsin.model.device import Thresholds
from tocsin.model.event import Event

NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("expect"), NAMES, st.integers(1, 20)),
    st.tuples(st.just("heard"), NAMES, st.just(0)),
    st.tuples(st.just("forget"), NAMES, st.just(0)),
    st.tuples(st.just("pass"), st.just(""), st.integers(1, 30)),
)


class Model:
    """Looks at everybody each time."""

    def __init__(self) -> None:
        self.limits: dict[str, float] = {}
        self.heard: dict[str, float] = {}
        self.named: set[str] = set()

    def overdue(self, now: float) -> list[str]:
        found = [who for who, limit in self.limits.items() if self.heard[who] + limit < now and who not in self.named]
        self.named.update(found)
        return sorted(found)


@given(st.lists(STEPS, max_size=60))
def test_the_queue_names_whom_a_look_at_everybody_would_name(steps: list[tuple[str, str, int]]) -> None:
    now, silences, model = 0.0, Silences(), Model()
    for what, who, number in steps:
        if what == "expect":
            silences.expect(who, float(number), now)
            if model.limits.get(who) != number:
                model.limits[who] = float(number)
                model.heard[who] = now
                model.named.discard(who)
        elif what == "heard":
            silences.heard(who, now)
            if who in model.limits:
                model.heard[who] = now
                model.named.discard(who)
        elif what == "forget":
            silences.forget(who)
            model.limits.pop(who, None)
            model.named.discard(who)
        else:
            now += number
            assert sorted(silences.overdue(now)) == model.overdue(now)


def test_listening_time_stands_still_while_nobody_can_be_heard() -> None:
    now, able = [100.0], [True]
    listening = Listening(lambda: now[0], lambda: able[0])
    listening.resume(1000.0)
    assert listening.look() == 1000.0
    now[0] += 5
    assert listening.look() == 1005.0
    able[0] = False
    now[0] += 5
    listening.look()
    now[0] += 500
    able[0] = True
    assert listening.look() == 1010.0, "not able after the look before"
    now[0] += 86_400 * 3
    assert listening.look() == 1010.0 + LONGEST_STEP_S, "frozen for three days is not three days of silence"
    listening.resume(7.0)
    assert listening.seconds == 1010.0 + LONGEST_STEP_S


THRESHOLDS = Thresholds(25, 10)


@pytest.mark.parametrize(
    ("before", "level", "after"),
    [
        ("good", 26, "good"),
        ("good", 25, "good"),
        ("good", 24, "low"),
        ("good", 9, "critical"),
        ("low", 10, "low"),
        ("low", 9, "critical"),
        ("low", 25, "low"),
        ("low", 30, "low"),
        ("low", 31, "good"),
        ("critical", 20, "critical"),
        ("critical", 30, "critical"),
        ("critical", 31, "good"),
    ],
)
def test_thresholds_and_hysteresis(before: str, level: int, after: str) -> None:
    assert judged(before, level, THRESHOLDS, 5.0) == after  # type: ignore[arg-type]


@given(st.sampled_from(["good", "low", "critical"]), st.integers(2, 99), st.floats(0, 100))
def test_a_full_battery_is_good_whatever_the_thresholds(before: str, low: int, hysteresis: float) -> None:
    assert judged(before, 100, Thresholds(low, low - 1), hysteresis) == "good"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "state", "meant"),
    [
        ("battery_low", "new", "low"),
        ("battery_low", "restore", "good"),
        ("battery_restored", "new", "good"),
        ("critical_battery_shutdown", "new", "critical"),
        ("battery_removed", "new", None),
        ("motion", "new", None),
    ],
)
def test_what_a_device_says_of_its_battery_itself(kind: str, state: str, meant: str | None) -> None:
    at = datetime(2026, 3, 4, tzinfo=UTC)
    assert said(Event("E", kind, at, at, "detectors", state=state)) == meant  # type: ignore[arg-type]
