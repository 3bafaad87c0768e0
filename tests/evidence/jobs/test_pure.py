"""Locks, choice, segments, progress, ends, pauses: what is decided without asking anybody."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.engine.systems import Span
from tocsin.evidence.jobs.choosing import chosen, hold_off_s
from tocsin.evidence.jobs.ending import broken, delivered, put_off
from tocsin.evidence.jobs.lock import lock_times
from tocsin.evidence.jobs.progress import Part, must_tell, reached
from tocsin.evidence.jobs.segments import clipped, cut, file_name, halves, joined, segments, whole
from tocsin.evidence.polling import PollState
from tocsin.evidence.registry.wire import Offered
from tocsin.model.evidence import Job

T0 = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def span(start, end):
    return Span(at(start), at(end))


# Locks (9.2)


def test_a_lock_by_the_specification():
    times = lock_times(100.0, 120.0, 0.5)
    assert (times.deadline, times.renew_at, times.stop_at, times.again_s) == (220.0, 160.0, 208.0, 5.0)
    assert lock_times(100.0, None, 0.5).deadline == 160.0
    assert lock_times(0.0, 60.0, 0.5).stop_at == 54.0


@given(st.floats(0, 1e6), st.floats(-10, 1e6), st.floats(0, 1))
def test_every_lock_is_renewed_before_it_is_given_up_and_given_up_before_it_ends(sent, granted, chance):
    times = lock_times(sent, granted, chance)
    assert sent <= times.renew_at <= times.stop_at <= times.deadline
    if granted >= 1:
        assert times.renew_at < times.stop_at < times.deadline
        assert times.stop_at - times.renew_at >= times.again_s * 1.5


# Choice (7.5)


def offer(name, type_="mediarequest", created=0.0, **more):
    return Offered(name, type_, at(created), **more)


def choose(offers, free=9, held=None, blocked=(), urgent=()):
    found = chosen(offers, free, T0, held or {}, blocked, lambda one: one.registry_id in urgent)
    return [one.registry_id for one in found]


def test_small_ones_first_then_the_oldest():
    offers = [offer("m2", created=2), offer("d", "discovery"), offer("m1", created=1), offer("t", "thumbnail")]
    assert choose(offers) == ["t", "d", "m1", "m2"]
    assert choose(offers, urgent={"m2"}) == ["m2", "t", "d", "m1"]
    assert choose(offers, free=2) == ["t", "d"]
    assert choose(offers, free=0) == []


def test_what_is_left_out():
    offers = [offer("a"), offer("a"), offer("b", problem="no field"), offer("c", None), offer("d", "thumbnail")]
    assert choose(offers) == ["d", "a"]
    assert choose(offers, blocked={"thumbnail"}) == ["a"]
    assert choose(offers, held={"a": at(60), "d": at(-1)}) == ["d"]


def test_hold_off_doubles_up_to_an_hour():
    assert [hold_off_s(n) / 60 for n in (0, 1, 2, 3, 7, 50)] == [1, 1, 2, 4, 60, 60]


# Segments (8.1)

SPANS = st.lists(st.tuples(st.integers(-100, 8000), st.integers(1, 5000)), max_size=6).map(
    lambda found: [span(start, start + length) for start, length in found]
)


@given(SPANS, st.integers(0, 2000), st.integers(1, 9000), st.sampled_from([60.0, 600.0, 3600.0]))
def test_segments_cover_what_is_recorded_and_nothing_else(recorded, start, length, longest):
    wanted = span(start, start + length)
    found = segments(wanted, recorded, longest)
    assert all(0 < piece.length.total_seconds() <= longest + 1e-6 for piece in found)
    assert all(wanted.start <= piece.start < piece.end <= wanted.end for piece in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    rng = random.Random(start)
    for one in clipped(wanted, recorded):
        moment = one.start + one.length * rng.random()
        assert any(piece.start <= moment <= piece.end for piece in found)


def test_gaps_up_to_two_seconds_are_none():
    assert joined([span(0, 10), span(12, 20), span(22.1, 30)]) == [span(0, 20), span(22.1, 30)]
    assert cut(span(0, 7200), 3600) == [span(0, 3600), span(3600, 7200)]
    assert [piece.length.total_seconds() for piece in cut(span(0, 3700), 3600)] == [1850, 1850]


def test_halves_down_to_a_minute():
    assert halves(span(0, 120)) == [span(0, 60), span(60, 120)]
    assert halves(span(0, 119)) == []


def test_whole():
    assert whole(span(0, 100), [span(-3, 50), span(51, 99)])
    assert not whole(span(0, 100), [span(0, 50), span(53, 100)])
    assert not whole(span(0, 100), [span(0, 97)])
    assert not whole(span(0, 100), [])


def test_names_of_files():
    assert file_name("Gate, north / Ärm", T0, 59.6) == "Gate_north_rm_20260304T080000Z_60s.mp4"
    assert file_name("///", T0, 1) == "camera_20260304T080000Z_1s.mp4"
    assert len(file_name("x" * 300, T0, 3600)) == 120


# Progress (9.4, 12.3)

UNIT = st.floats(-0.5, 1.5)


@given(st.lists(st.tuples(st.floats(0, 1e4), UNIT, UNIT), max_size=5), st.integers(0, 980))
def test_progress_is_bounded_and_never_falls(parts, before):
    value = reached([Part(*part) for part in parts], before)
    assert before <= value <= 980


def test_progress_is_shared_by_length():
    assert reached([Part(60.0, 1.0), Part(180.0)], 0) == 75
    assert reached([Part(60.0, 1.0, 1.0), Part(180.0, 1.0)], 0) == 470
    assert reached([Part(60.0, 1.0, 1.0)], 0) == 980
    assert reached([], 7) == 7


@pytest.mark.parametrize(
    ("silent_s", "risen", "told"), [(4.9, 500, False), (5, 9, False), (5, 10, True), (29, 0, False), (30, 0, True)]
)
def test_when_progress_is_told(silent_s, risen, told):
    assert must_tell(100 + silent_s, 100, 50 + risen, 50) is told


# Ends (7.3)


def test_ends():
    wanted = span(0, 100)
    assert delivered(wanted, [wanted], []).state == "Completed"
    assert delivered(wanted, [wanted], ["a", "a", "b"]) == delivered(wanted, [span(0, 9)], ["a", "b"])
    assert (delivered(wanted, [], []).state, delivered(wanted, [], []).message) == ("Failed", "no recording")
    assert delivered(wanted, [], ["damaged"]).message == "damaged"
    assert [put_off("x", n).call for n in (1, 4, 5)] == ["release", "release", "complete"]
    assert len(put_off("x" * 999, 1).message) == 500


def test_jobs_that_never_make_sense():
    job = Job("J", "a", "r", "mediarequest", "locked", T0, T0, "cam", at(0), at(1))
    assert broken(job) == broken(replace(job, type="discovery", device="")) == ""
    assert broken(replace(job, device="")) == "it names no device"
    assert broken(replace(job, end=None)) == "it names no time"
    assert broken(replace(job, end=at(0))) == "its end is not after its start"
    assert broken(replace(job, type="thumbnail", start=None, end=None)) == ""


# Polling (9.1)


def test_pauses():
    fine = PollState()
    assert [fine.pause_s(15, 0), fine.pause_s(15, 1)] == pytest.approx([12, 18])
    failed = [fine]
    for _ in range(9):
        failed.append(failed[-1].failed())
    assert [state.pause_s(15, 1.0) for state in failed[1:]] == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    refused = fine.refused().refused().refused()
    assert [fine.refused().pause_s(15, 0.1), refused.pause_s(15, 1), refused.refused().refused().pause_s(15, 1)] == [
        60, 240, 900,
    ]  # fmt: skip
    assert failed[5].refused().failed().failures == 1
