"""How fast uploads may go: hours of the week in the site's own zone, and a bucket that keeps to the cap."""

import asyncio
import os
import random
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.standin import Standin
from blobkit.vectors import noise
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.evidence.pace import DAY_ENDS, PIECE, Bucket, Hours, Pace, piece_size
from tocsin.evidence.sealing import MachineKey
from tocsin.evidence.upload import Uploader, UploadOptions

OFFICE = Hours((0, 1, 2, 3, 4), time(8), time(18), 8_000_000)
NIGHT = Hours((4,), time(22), time(6), 0)
EVENING = Hours((6,), time(20), DAY_ENDS, None)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "at", "rate"),
    [
        (0, "08:00", 1_000_000),
        (0, "17:59", 1_000_000),
        (0, "18:00", 125_000),
        (0, "07:59", 125_000),
        (5, "12:00", 125_000),
        (4, "21:59", 125_000),
        (4, "22:00", 0),
        (5, "05:59", 0),
        (5, "06:00", 125_000),
        (4, "05:00", 125_000),
        (6, "20:00", None),
        (6, "23:59", None),
        (0, "00:00", 125_000),
    ],
)
def test_hours_of_the_week(day: int, at: str, rate: float | None) -> None:
    pace = Pace(1_000_000, (OFFICE, NIGHT, EVENING))
    moment = datetime.combine((MONDAY + timedelta(days=day)).date(), time.fromisoformat(at), UTC)
    assert pace.bytes_per_s(moment) == rate


def test_hours_are_the_sites_own() -> None:
    pace = Pace(None, (OFFICE,), "Europe/Tallinn")
    assert pace.bytes_per_s(MONDAY.replace(hour=7)) == 1_000_000  # 9 there
    assert pace.bytes_per_s(MONDAY.replace(hour=17)) is None  # 19 there


def test_without_a_cap_there_is_none() -> None:
    assert Pace().bytes_per_s(MONDAY) is None
    assert piece_size(None) == PIECE


def test_it_says_when_uploads_may_go_again() -> None:
    friday = MONDAY + timedelta(days=4, hours=23, minutes=7, seconds=5)
    assert Pace(None, (NIGHT,)).opens_at(friday) == MONDAY + timedelta(days=5, hours=6)
    assert Pace(0).opens_at(friday) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200_000), st.floats(0, 3)), min_size=1), st.integers(1_000, 10_000_000))
def test_never_more_than_the_cap_and_one_second(sends: list[tuple[int, float]], rate: int) -> None:
    bucket, now, sent = Bucket(0.0), 0.0, 0
    for size, idle in sends:
        now += idle
        now += bucket.take(size, float(rate), now)
        sent += size
        assert sent <= rate * (now + 1) * 1.000001


class Stepping:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


async def test_uploads_of_all_files_keep_to_the_cap_together(standin: Standin, tmp_path: Path) -> None:
    clock = Stepping()
    options = UploadOptions(pace=Pace(800_000))
    uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, clock, random.Random(1), clock.sleep)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(noise(1, 500_000))
    async with asyncio.TaskGroup() as group:
        for name in ("one", "two"):
            upload = uploader.begin(tmp_path / name, place(standin.address(name)), clock.now())
            begun = job_file(upload=upload)
            group.create_task(uploader.carry_out(tmp_path / name, begun, MemoryJournal(), lambda: None))
    assert standin.decrypted("one") == standin.decrypted("two") == noise(1, 500_000)
    assert 9.0 <= clock.at <= 40.0  # a megabyte at 100 kB/s; two wait at once, and each moves the clock
    await uploader.aclose()
