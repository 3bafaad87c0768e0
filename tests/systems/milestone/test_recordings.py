"""Which stretches a recording server holds (connectors.md 4.9, SequencesGet)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.systems import ProtocolFault, Span, SystemFault, UnknownDevice, Unreachable
from tocsin.protocols.xml import local_name, read
from tocsin.standins.milestone import recorder_soap
from tocsin.standins.milestone.site import identity
from tocsin.standins.milestone.switches import Assumptions
from tocsin.systems.milestone import extents as room
from tocsin.systems.milestone import sequences
from tocsin.systems.milestone.sequences import left_of, merged, read_sequences
from tocsin.transports.http import HttpAnswer

CAMERA = identity("camera", 3)
NINE = datetime(2025, 3, 8, 9, 0, tzinfo=UTC)
EMPTY = b"<Envelope><Body><SequencesGetResponse><SequencesGetResult /></SequencesGetResponse></Body></Envelope>"


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def ms(minutes: float) -> int:
    return round(at(minutes).timestamp() * 1000)


def span(begin: float, end: float) -> Span:
    return Span(at(begin), at(end))


async def test_stretches_are_clipped_and_those_that_touch_are_one(bench: Any) -> None:
    one = await bench()
    one.site.recorder.gaps += [(ms(10), ms(20)), (ms(30), ms(31))]
    # The recorder begins a new recording at each full hour: at 60 minutes one touches the other.
    assert await one.system.recordings(CAMERA, span(5, 90)) == [span(5, 10), span(20, 30), span(31, 90)]
    assert await one.system.recordings(CAMERA, span(11, 19)) == []


async def test_the_recorder_is_known_from_the_inventory(bench: Any) -> None:
    one = await bench()
    await one.read()
    one.told.clear()
    assert await one.system.recordings(CAMERA, span(0, 1)) == [span(0, 1)]
    assert [told.get("request", told.get("recorder")) for told in one.told] == [
        "POST /ManagementServer/ServerCommandServiceOAuth.svc",
        "SequencesGet",
    ]


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_more_than_one_answer_holds(bench: Any, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "MOST_AT_ONCE", 7)
    one = await bench(assumptions=Assumptions(sequences=order))
    one.site.recorder.gaps += [(ms(2 * n + 1), ms(2 * n + 2)) for n in range(40)]
    assert await one.system.recordings(CAMERA, span(0, 80)) == [span(2 * n, 2 * n + 1) for n in range(40)]
    assert sum(told.get("recorder") == "SequencesGet" for told in one.told) > 5


async def test_a_camera_that_is_not_there(bench: Any) -> None:
    one = await bench()
    with pytest.raises(UnknownDevice, match="xp has no camera nobody"):
        await one.system.recordings("nobody", span(0, 1))


async def test_a_token_that_is_not_taken_is_had_anew_once(bench: Any) -> None:
    one = await bench()
    await one.system.recordings(CAMERA, span(0, 1))
    one.site.gateway.connection_token = "another"
    assert await one.system.recordings(CAMERA, span(0, 1)) == [span(0, 1)]


async def test_a_recorder_that_refuses_every_token(bench: Any) -> None:
    one = await bench()
    one.site.recorder._good = lambda token: False
    with pytest.raises(SystemFault, match="does not tell its recordings: Token invalid"):
        await one.system.recordings(CAMERA, span(0, 1))


async def test_a_silent_recorder_ends_by_the_deadline(bench: Any) -> None:
    one = await bench(timeout="200ms")
    one.site.recorder.delay_s = 30.0
    with pytest.raises(Unreachable, match=r"0\.2 s"):
        await one.system.recordings(CAMERA, span(0, 1))


def test_the_published_answer_is_read_and_the_stand_in_gives_the_same() -> None:
    golden = (Path(__file__).parent / "golden/sequences.xml").read_bytes()
    begin, end = NINE + timedelta(milliseconds=59), at(5) + timedelta(milliseconds=992)
    assert read_sequences(HttpAnswer(200, "OK", (), golden)) == [Span(begin, end)]
    own = recorder_soap._envelope([(ms(0), ms(5))])
    assert [local_name(one) for one in read(own.encode()).iter()] == [local_name(one) for one in read(golden).iter()]


def entries(*times: tuple[str, str]) -> bytes:
    told = "".join(
        f"<SequenceEntry><TimeBegin>{begin}</TimeBegin><TimeTrigged>{begin}</TimeTrigged><TimeEnd>{end}</TimeEnd>"
        "</SequenceEntry>"
        for begin, end in times
    )
    return EMPTY.replace(b"<SequencesGetResult />", f"<SequencesGetResult>{told}</SequencesGetResult>".encode())


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (EMPTY, []),
        (entries(("2025-03-08T09:00:00Z", "2025-03-08T09:05:00.0000000Z")), [span(0, 5)]),
        (entries(("2025-03-08T10:00:00+01:00", "2025-03-08T09:05:00")), [span(0, 5)]),
    ],
)
def test_the_answer_is_read(body: bytes, found: list[Span]) -> None:
    assert read_sequences(HttpAnswer(200, "OK", (), body)) == found


@pytest.mark.parametrize("body", [b"", b"<html/>", b"{}", entries(("yesterday", "2025-03-08T09:05:00Z"))])
def test_what_is_no_list_of_recordings(body: bytes) -> None:
    with pytest.raises(ProtocolFault):
        read_sequences(HttpAnswer(200, "OK", (), body))


def test_a_recorder_that_gives_the_same_page_for_ever_is_not_asked_for_ever() -> None:
    page = [span(0, 1)] * sequences.MOST_AT_ONCE
    assert left_of(span(0, 60), page) == [span(1, 60)]
    assert left_of(span(1, 60), page) == []
    assert left_of(span(0, 60), page[1:]) == []


@given(st.lists(st.tuples(st.integers(-20, 80), st.integers(-20, 80))))
def test_merged_is_the_union(given_: list[tuple[int, int]]) -> None:
    stretches = merged([span(*sorted(one)) for one in given_], span(0, 60))
    covered = {n for begin, end in map(sorted, given_) for n in range(max(begin, 0), min(end, 60))}
    assert {n for n in range(60) if any(one.start <= at(n) < one.end for one in stretches)} == covered
    assert all(one.end < after.start for one, after in pairwise(stretches))


async def extents(one: Any, *cameras: str) -> dict[str, Span]:
    return {key: span async for key, span in one.system.extents(cameras)}


async def test_the_first_and_the_last_recording(bench: Any) -> None:
    one = await bench()
    await one.read()
    other = identity("camera", 2)
    one.site.recorder.archive(CAMERA).until_ms = ms(60)
    one.site.recorder.archive(CAMERA).gaps.append((0, ms(0)))
    one.site.recorder.archive(other).gaps.append((0, ms(10**9)))
    one.told.clear()
    found = await extents(one, other, CAMERA, "nobody")
    assert (list(found), found[CAMERA].start) == ([CAMERA], at(0))
    assert timedelta(0) <= at(60) - found[CAMERA].end < timedelta(seconds=3)
    asked = [told["recorder"] for told in one.told if told.get("recorder")]
    assert sorted(asked) == ["begin", "begin", "connect", "connect", "goto", "goto"]


async def test_a_recorder_that_is_away_is_not_asked_about_its_other_cameras(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AT_ONCE", 1)
    one = await bench(timeout="1s")
    await one.read()
    one.site.recorder.delay_s = 5.0
    one.told.clear()
    assert await extents(one, CAMERA, identity("camera", 2)) == {}
    assert sum(told.get("recorder") == "connect" for told in one.told) == 1
