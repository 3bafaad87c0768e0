"""What an upload makes of everything that can happen on the way (clearance.md 11.4, 12.2, 13): the bytes that arrive,
who gives up, what stands in the journal.
"""

import asyncio
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.standin import Standin, no_wait
from blobkit.vectors import JWK, noise
from msgspec.structs import replace

from tocsin.engine.clock import LoopClock
from tocsin.evidence.asking import Telling
from tocsin.evidence.contracts import (
    Fenced,
    Impossible,
    NotNow,
    PlaceExpired,
    PlaceGone,
    SourceChanged,
    StartOver,
    Uploaded,
)
from tocsin.evidence.encryption import block_id
from tocsin.evidence.pace import Pace
from tocsin.evidence.sealing import KeyGone, MachineKey
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.evidence import JobFile
from tocsin.standins.blobs import Fault
from tocsin.telemetry.occurrences import StorageCameBack, StorageWentAway
from tocsin.telemetry.record import Occurrence

MIB = 1024 * 1024
BLOCK = 256 * 1024
PLAIN = noise(3, 5 * BLOCK + 7)
"""Six blocks."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "clip.mp4").write_bytes(PLAIN)
    return tmp_path / "clip.mp4"


def begun(uploader: Uploader, file: Path, uri: str) -> JobFile:
    """With small blocks, so that a small file has several."""
    upload = uploader.begin(file, place(uri), LoopClock().now())
    return job_file(upload=replace(upload, block_size=BLOCK))


def may() -> None:
    """A fence that lets everything pass."""


@pytest.mark.parametrize("operation", ["block", "blocklist"])
@pytest.mark.parametrize("kind", ["drop", "busy", "swallow", "silent", "damage"])
async def test_whatever_fails_once_or_twice_the_file_arrives(
    standin: Standin, file: Path, kind: Any, operation: Any
) -> None:
    options = UploadOptions(stall_s=1.0)
    uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, LoopClock(), random.Random(1), no_wait)
    standin.switches.faults[operation] = [Fault(kind)] * 2
    journal = MemoryJournal()
    done = await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), journal, may)
    assert standin.decrypted("clip") == PLAIN
    assert len(standin.asked(operation)) >= (8 if operation == "block" else 2)
    lost = operation == "blocklist" and kind in ("swallow", "silent")
    assert done.sure is not lost
    assert [line["problems"] for line in standin.told] == [[]] * len(standin.told)
    assert journal.last.state == "committed"
    await uploader.aclose()


async def test_what_arrives_damaged_three_times_is_a_fault_of_the_machine(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    standin.switches.lasting["block"] = Fault("damage")
    with pytest.raises(NotNow, match="damaged three times"):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), MemoryJournal(), may)


async def test_a_lost_answer_to_the_commit_is_settled_by_looking(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    standin.switches.faults["blocklist"] = [Fault("swallow")]
    uri = standin.address("clip", "rcw")
    done = await uploader.carry_out(file, begun(uploader, file, uri), MemoryJournal(), may)
    assert done.sure
    assert standin.told[-1]["request"] == "HEAD read"


async def test_a_commit_in_doubt_after_a_restart_reads_no_file(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    journal = MemoryJournal()
    done = await uploader.carry_out(file, begun(uploader, file, standin.address("clip", "rcw")), journal, may)
    sent = next(state for state in journal.states if state.state == "commit_sent")
    assert (sent.sha256, sent.cipher_sha256, sent.size) == (done.sha256, done.cipher_sha256, len(PLAIN))
    file.unlink()
    again = await uploader.carry_out(file, sent, MemoryJournal(), may)
    assert (again.sha256, again.cipher_sha256, again.sure) == (done.sha256, done.cipher_sha256, True)


async def test_a_commit_in_doubt_that_another_has_made_is_not_taken_for_ours(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    journal, other = MemoryJournal(), Uploader(
        UploadOptions(), MachineKey(b"n" * 32), os.urandom, LoopClock(), random.Random(2)
    )  # fmt: skip
    uri = standin.address("clip", "rcw")
    await uploader.carry_out(file, begun(uploader, file, uri), journal, may)
    sent = next(state for state in journal.states if state.state == "commit_sent")
    await other.carry_out(file, begun(other, file, uri), MemoryJournal(), may)
    with pytest.raises(StartOver, match="not there any more"):
        await uploader.carry_out(file, sent, MemoryJournal(), may)
    await other.aclose()


async def test_blocks_that_are_gone_at_the_commit_mean_a_new_upload(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    journal = MemoryJournal()

    async def keep(file: JobFile) -> None:
        if file.state == "commit_sent":
            standin.store.forget("evidence/clip")
        journal.states.append(file)

    journal.keep = keep  # type: ignore[method-assign]
    with pytest.raises(StartOver, match="InvalidBlockList"):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), journal, may)
    assert journal.last.state == "commit_sent"


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        ("expire", PlaceExpired),
        ("gone", PlaceGone),
        ("immutable", Fenced),
        ("missing-right", Impossible),
    ],
)
@pytest.mark.parametrize("operation", ["block", "blocklist"])
async def test_who_gives_up_when_the_storage_refuses(
    standin: Standin, file: Path, uploader: Uploader, kind: Any, who: type[Exception], operation: Any
) -> None:
    standin.switches.lasting[operation] = Fault(kind)
    with pytest.raises(who):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), MemoryJournal(), may)


async def test_a_new_permission_for_the_same_blob_goes_on(standin: Standin, file: Path, uploader: Uploader) -> None:
    journal = MemoryJournal()
    standin.switches.faults["block"] = [Fault(), Fault(), Fault(), *[Fault("expire")] * 4]
    with pytest.raises(PlaceExpired):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), journal, may)
    standin.switches.faults.clear()
    before, upload = len(standin.asked("block")), journal.last.upload
    assert upload is not None
    renewed = replace(journal.last, upload=replace(upload, uri=standin.address("clip", valid_s=1800)))
    await uploader.carry_out(file, renewed, journal, may)
    assert standin.decrypted("clip") == PLAIN
    assert upload.next > 0
    in_flight = 3  # requests of the first try that the storage had not answered
    assert len(standin.asked("block")) - before <= 6 - upload.next + in_flight
    assert journal.told == sorted(journal.told)


async def test_nothing_is_sent_under_a_permission_that_has_run_out(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    with pytest.raises(PlaceExpired, match="run out"):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip", valid_s=-1)), MemoryJournal(), may)
    assert standin.told == []


@pytest.mark.parametrize("size", [100, 2 * BLOCK + 100])
async def test_where_blocks_are_not_allowed_the_file_goes_in_one_request(
    standin: Standin, file: Path, uploader: Uploader, size: int
) -> None:
    file.write_bytes(PLAIN[:size])
    journal = MemoryJournal()
    standin.switches.faults["blob"] = [Fault("busy"), Fault("swallow")]
    done = await uploader.carry_out(file, begun(uploader, file, standin.address("clip", "c")), journal, may)
    assert standin.decrypted("clip") == PLAIN[:size]
    assert [state.state for state in journal.states] == ["commit_sent", "committed"]
    # the answer to the second request was lost: the third says that the blob is there, and only we can have done it
    assert (done.sure, done.size, len(standin.asked("blob"))) == (False, size, 3)


async def test_a_file_that_changes_within_one_request_is_seen(standin: Standin, file: Path, uploader: Uploader) -> None:
    def change() -> None:
        if standin.asked("block"):
            file.write_bytes(PLAIN + b"x")

    with pytest.raises(SourceChanged):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip", "c")), MemoryJournal(), change)
    assert not standin.store.paths()


@pytest.mark.parametrize("allowed", range(8))
async def test_the_fence_stands_before_every_request(
    standin: Standin, file: Path, uploader: Uploader, allowed: int
) -> None:
    left = allowed

    def fence() -> None:
        nonlocal left
        if not left:
            raise Fenced("the lock's deadline is near")
        left -= 1

    journal, begun_file = MemoryJournal(), begun(uploader, file, standin.address("clip"))
    if allowed < 7:
        with pytest.raises(Fenced):
            await uploader.carry_out(file, begun_file, journal, fence)
        assert not standin.store.paths()
    else:
        await uploader.carry_out(file, begun_file, journal, fence)
    assert len(standin.told) <= min(allowed, 7)


class HeldUp(MemoryJournal):
    """Keeps nothing of blocks until told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def keep(self, file: JobFile) -> None:
        await self.go_on.wait()
        await super().keep(file)


async def test_no_more_blocks_than_uploaders_are_sent_before_they_are_noted(standin: Standin, file: Path) -> None:
    """clearance.md 12.2"""
    for uploaders, ahead in ((1, 1), (4, 4)):
        options = UploadOptions(uploaders=uploaders)
        uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, LoopClock(), random.Random(1), no_wait)
        standin.told.clear()
        journal, name = HeldUp(), f"clip-{uploaders}"
        under_way = asyncio.create_task(
            uploader.carry_out(file, begun(uploader, file, standin.address(name)), journal, may)
        )
        async with asyncio.timeout(20):
            while len(standin.asked("block")) < ahead:
                await asyncio.sleep(0.001)
        assert (len(standin.asked("block")), standin.asked("blocklist"), journal.states) == (ahead, [], [])
        journal.go_on.set()
        await under_way
        assert standin.decrypted(name) == PLAIN
        noted = [one.upload.next for one in journal.states if one.upload and one.state == "uploading"]
        assert noted == sorted(noted)
        assert [one.state for one in journal.states[len(noted) :]] == ["commit_sent", "committed"]
        assert noted[-1] == 6
        await uploader.aclose()


async def test_an_upload_that_is_cancelled_goes_on_later(standin: Standin, file: Path, uploader: Uploader) -> None:
    journal, first = MemoryJournal(), begun(uploader, file, standin.address("clip"))
    reached = asyncio.Event()

    async def keep(file: JobFile) -> None:
        journal.states.append(file)
        reached.set()

    journal.keep = keep  # type: ignore[method-assign]
    standin.switches.faults["block"] = [Fault(), Fault("silent"), Fault("silent"), Fault("silent")]
    task = asyncio.create_task(uploader.carry_out(file, first, journal, may))
    await asyncio.wait_for(reached.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    standin.switches.faults.clear()
    await uploader.carry_out(file, journal.last, journal, may)
    assert standin.decrypted("clip") == PLAIN


async def state_with_blocks(standin: Standin, uploader: Uploader, file: Path) -> JobFile:
    """As a process leaves it that was killed after a few blocks."""
    journal = MemoryJournal()
    await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), journal, may)
    return next(state for state in journal.states if state.upload and 0 < state.upload.next < 5)


async def test_a_source_that_has_changed_since_is_not_uploaded(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    state = await state_with_blocks(standin, uploader, file)
    before = len(standin.told)
    file.write_bytes(PLAIN[:-1] + b"!")
    with pytest.raises(SourceChanged):
        await uploader.carry_out(file, state, MemoryJournal(), may)
    assert len(standin.told) == before


async def test_a_source_that_only_looks_the_same_is_not_uploaded(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    """Another byte in what was stored already, size and times as before: the chain value tells."""
    state = await state_with_blocks(standin, uploader, file)
    before, stat = len(standin.told), file.stat()
    with file.open("r+b") as written:
        written.write(b"\x00\x01")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(SourceChanged, match="first blocks"):
        await uploader.carry_out(file, state, MemoryJournal(), may)
    assert len(standin.told) == before


async def test_a_file_that_is_not_the_fetched_one_is_not_committed(
    standin: Standin, file: Path, uploader: Uploader
) -> None:
    wrong = replace(begun(uploader, file, standin.address("clip")), sha256="0" * 64)
    with pytest.raises(SourceChanged, match="SHA-256"):
        await uploader.carry_out(file, wrong, MemoryJournal(), may)
    assert not standin.store.paths()


async def test_a_lost_machine_key_means_a_new_upload(standin: Standin, file: Path, uploader: Uploader) -> None:
    state = await state_with_blocks(standin, uploader, file)
    other = Uploader(UploadOptions(), MachineKey(b"n" * 32), os.urandom, LoopClock(), random.Random(1))
    with pytest.raises(KeyGone):
        await other.carry_out(file, state, MemoryJournal(), may)
    await other.aclose()


def test_keys_and_tags_are_new_for_every_upload(file: Path, uploader: Uploader) -> None:
    uploads = [begun(uploader, file, "https://blob.example.net/evidence/clip?sig=x").upload for _ in range(50)]
    for part in ("sealed_key", "wrapped_key", "iv", "tag"):
        assert len({getattr(upload, part) for upload in uploads}) == 50


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("http://blob.example.net/evidence/clip?sig=secret", "does not begin with https"),
        ("ftp://blob.example.net/evidence/clip?sig=secret", "does not begin with https"),
        ("https://blob.example.net?sig=secret", "names no blob"),
        ("https://user@blob.example.net/a?sig=secret", "names no blob"),
        ("https://blob.example.net/a b?sig=secret", "characters that no address has"),
        ("https://blob.example.net:99999/a?sig=secret", "cannot be read"),
        ("https://[::1/a?sig=secret", "cannot be read"),
        ("", "names no host"),
        ("hp.://1270.0.1!1sig=secret", "names no host"),
    ],
)
def test_a_place_that_may_not_be_used_says_why_without_its_secret(
    file: Path, uploader: Uploader, uri: str, part: str
) -> None:
    with pytest.raises(Impossible, match=part) as refused:
        uploader.begin(file, place(uri), LoopClock().now())
    assert "secret" not in str(refused.value)


def test_a_key_that_may_not_be_used_says_why(file: Path, uploader: Uploader) -> None:
    with pytest.raises(Impossible, match="only RSA"):
        uploader.begin(file, replace(place("https://b.example.net/e/c?sig=x"), key={**JWK, "kty": "oct"}), now())


def now() -> datetime:
    return datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_permission_is_read_without_its_signature(file: Path, uploader: Uploader) -> None:
    uri = "https://b.example.net/e/c?sv=2021-08-06&sp=cw&se=2026-03-04T06%3A06%3A07Z&sr=b&sig=very%2Fsecret"
    upload = begun(uploader, file, uri).upload
    assert upload is not None
    assert upload.expires_at == now() + timedelta(hours=1)


async def served(answer: Callable[[web.Request], web.Response]) -> tuple[web.AppRunner, int]:
    """Something that is no storage."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return answer(request)

    application = web.Application(client_max_size=64 * MIB)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


@pytest.mark.parametrize("status", [200, 204, 302, 403, 404, 405])
async def test_a_filter_in_between_is_not_taken_for_the_storage(file: Path, uploader: Uploader, status: int) -> None:
    runner, port = await served(lambda _: web.Response(status=status, text="<html>blocked</html>"))
    with pytest.raises(NotNow, match="proxy or filter"):
        await uploader.carry_out(
            file, begun(uploader, file, f"http://127.0.0.1:{port}/e/c?sig=x"), MemoryJournal(), may
        )
    await runner.cleanup()


async def test_a_bare_400_is_taken_for_damage_on_the_way(file: Path, uploader: Uploader) -> None:
    """So a web server answers a request that did not arrive whole."""
    runner, port = await served(lambda _: web.Response(status=400))
    with pytest.raises(NotNow, match="damaged three times"):
        await uploader.carry_out(
            file, begun(uploader, file, f"http://127.0.0.1:{port}/e/c?sig=x"), MemoryJournal(), may
        )
    await runner.cleanup()


async def test_the_storage_says_how_long_to_wait(standin: Standin, file: Path) -> None:
    waits: list[float] = []

    async def remember(seconds: float) -> None:
        waits.append(seconds)

    standin.switches.faults["blocklist"] = [Fault("busy", retry_after="7"), Fault("busy", retry_after="soon")]
    uploader = Uploader(UploadOptions(), MachineKey(b"m" * 32), os.urandom, LoopClock(), random.Random(1), remember)
    await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), MemoryJournal(), may)
    assert (waits[0], len(waits)) == (7.0, 2)
    assert waits[1] < 0.4
    await uploader.aclose()


async def test_hours_without_uploads_release_the_job(standin: Standin, file: Path) -> None:
    uploader = Uploader(
        UploadOptions(pace=Pace(bits_per_s=0)), MachineKey(b"m" * 32), os.urandom, LoopClock(), random.Random(1)
    )
    with pytest.raises(NotNow, match="allows none at any hour"):
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), MemoryJournal(), may)
    assert standin.told == []
    await uploader.aclose()


class SlowClock:
    """Half a minute passes between any two looks at it."""

    def __init__(self) -> None:
        self._at = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        self._at += 30.0
        return self._at


async def test_a_storage_that_goes_away_is_told_once_and_so_is_its_return(standin: Standin, file: Path) -> None:
    told: list[Occurrence] = []
    options, clock = UploadOptions(uploaders=1), SlowClock()
    uploader = Uploader(
        options, MachineKey(b"m" * 32), os.urandom, clock, random.Random(1), no_wait, Telling("city", told.append)
    )
    standin.switches.faults["block"] = [Fault("busy")] * 6
    await uploader.carry_out(file, begun(uploader, file, standin.address("clip")), MemoryJournal(), may)
    away, back = (one for one in told if isinstance(one, StorageWentAway | StorageCameBack))
    assert isinstance(away, StorageWentAway)
    assert isinstance(back, StorageCameBack)
    assert (away.agent, away.reason.endswith("answers 503 ServerBusy"), back.seconds >= 60) == ("city", True, True)
    assert "sig=" not in f"{away}{back}"
    await uploader.aclose()


async def test_a_link_too_slow_for_the_permission_asks_for_another_before_it_runs_out(
    standin: Standin, file: Path
) -> None:
    uploader = Uploader(UploadOptions(), MachineKey(b"m" * 32), os.urandom, SlowClock(), random.Random(1))
    with pytest.raises(PlaceExpired, match="takes longer") as slow:
        await uploader.carry_out(file, begun(uploader, file, standin.address("clip", valid_s=60)), MemoryJournal(), may)
    assert slow.value.bytes_per_s > 0
    assert not standin.store.paths()
    await uploader.aclose()


async def test_two_attempts_at_one_blob_never_mix(standin: Standin, file: Path, uploader: Uploader) -> None:
    """clearance.md 11.2: a holder that lost its lock wakes up in the middle of the next one's upload."""
    stale, uri = begun(uploader, file, standin.address("clip")), standin.address("clip")
    journal = MemoryJournal()
    first = asyncio.create_task(uploader.carry_out(file, stale, journal, may))
    second = asyncio.create_task(uploader.carry_out(file, begun(uploader, file, uri), MemoryJournal(), may))
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["StartOver", "Uploaded"]
    assert standin.decrypted("clip") == PLAIN
    blob = standin.store.blob("evidence/clip")
    assert len({block.id[:10] for block in blob.blocks}) == 1
    assert stale.upload is not None
    if isinstance(results[0], Uploaded):
        assert blob.blocks[0].id == block_id(stale.upload.tag, 0)
