"""The spool: room before anything is fetched, recordings kept for the next attempt, never another file than before."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tocsin.engine.systems import Span
from tocsin.evidence.contracts import Fetched, NotNow
from tocsin.evidence.spool import Spool

T0 = datetime(2026, 3, 4, 8, tzinfo=UTC)
HOUR = Span(T0, T0 + timedelta(hours=1))


@pytest.fixture
def spool(tmp_path):
    one = Spool(tmp_path / "spool", 1000, 3600.0)
    one.open()
    return one


async def fetched(spool, owner, data=b"video", device="cam / 1"):
    path = spool.path(device, HOUR, owner)
    path.write_bytes(data)
    return await spool.take_in(Fetched(path, "video/mp4", HOUR.start, HOUR.end, "recorder"))


async def test_what_a_lost_attempt_fetched_serves_the_next_one_under_a_name_of_its_own(spool):
    first = await fetched(spool, "a-1")
    second = await spool.found("cam / 1", HOUR, "b-1")
    assert (second.sha256, second.size, second.fetched.origin) == (first.sha256, 5, "recorder")
    assert second.fetched.path != first.fetched.path
    await spool.remove(first.fetched.path.name)
    assert second.fetched.path.read_bytes() == b"video"
    assert await spool.found("cam / 2", HOUR, "c-1") is None
    assert await spool.found("cam / 1", Span(HOUR.start, HOUR.end + timedelta(seconds=1)), "c-1") is None


async def test_what_was_changed_or_is_half_there_is_not_used(spool):
    first = await fetched(spool, "a-1")
    first.fetched.path.write_bytes(b"other")
    assert await spool.found("cam / 1", HOUR, "b-1") is None
    spool.path("cam / 1", HOUR, "z-1").write_bytes(b"no facts beside it")
    assert await spool.found("cam / 1", HOUR, "b-1") is None


async def test_no_more_than_allowed_and_never_the_last_of_the_disk(spool, monkeypatch):
    async with spool.reserved(600):
        with pytest.raises(NotNow, match="do not fit"):
            async with spool.reserved(600):
                pass
    async with spool.reserved(900):
        pass
    await fetched(spool, "a-1", b"x" * 500)
    with pytest.raises(NotNow, match="do not fit"):
        async with spool.reserved(400):
            pass
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=10_000, free=600))
    with pytest.raises(NotNow, match="less than 5 %"):
        async with spool.reserved(101):
            pass


async def test_what_nobody_needs_goes_after_a_while(spool):
    kept = await fetched(spool, "job7-1")
    begun = spool.path("cam / 2", HOUR, "job7-1").with_suffix(".mp4.part")
    begun.write_bytes(b"half")
    gone = await fetched(spool, "job8-1")
    await spool.sweep({"job7"}, datetime.now(UTC) + timedelta(seconds=3500))
    assert gone.fetched.path.exists()
    await spool.sweep({"job7"}, datetime.now(UTC) + timedelta(seconds=3700))
    assert left(spool) == sorted([kept.fetched.path.name, kept.fetched.path.name + ".json", begun.name])


async def test_what_all_attempts_at_a_job_have_left_can_be_forgotten(spool):
    for owner in ("job7-1", "job7-2"):
        await fetched(spool, owner)
    other = await fetched(spool, "job8-1")
    spool.path("cam / 2", HOUR, "job7-1").with_suffix(".mp4.part").write_bytes(b"half")
    await spool.write("job7-1-thumbnail.jpg", b"picture")
    await spool.forget("job7")
    assert left(spool) == [other.fetched.path.name, other.fetched.path.name + ".json"]


def left(spool):
    return sorted(path.name for path in spool.folder.iterdir())


def test_a_name_from_the_journal_never_leads_out_of_the_folder(spool):
    assert spool.named("../../etc/passwd").parent == spool.folder
