"""Uploads that are killed, frozen and cut off, against Microsoft's own emulator: every blob is the file, whole, of one
attempt (clearance.md 13.2, 13.4, 18.4, 18.5).
"""

import base64
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.uploading import JOB
from blobkit.vectors import RegistryKey, noise
from harness.faults import CLEAN, Fault, FaultProxy, Leg, Then
from msgspec.structs import replace
from tests.azurite import Azurite

from tocsin.engine.clock import LoopClock
from tocsin.evidence.sealing import MachineKey, machine_key
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.evidence import JobFile
from tocsin.store.open import open_store

KIB, MIB = 1024, 1024 * 1024
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().getrandbits(32)


class Uploading:
    """The process of blobkit.uploading."""

    def __init__(self, folder: Path, file: Path, uri: str, block_size: int, freeze_at: int = 0) -> None:
        here = Path(__file__)
        paths = [str(here.parent), str(here.parents[3] / "src"), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "blobkit.uploading", str(folder), str(file), uri, str(block_size), str(freeze_at)],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip

    def line(self) -> dict[str, Any]:
        """The next thing it tells; empty at its end."""
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        return json.loads(text) if text.endswith("\n") else {}

    def reaches(self, lines: int) -> dict[str, Any]:
        """So many lines, or its end; the last of them."""
        said: dict[str, Any] = {}
        for _ in range(lines):
            said = self.line() or said
            if "ended" in said:
                break
        return said

    def ends(self) -> str:
        return str(self.reaches(1_000_000)["ended"])

    def has_stopped(self) -> None:
        """Waits for that."""
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def signal(self, what: signal.Signals) -> None:
        self._process.send_signal(what)

    def __enter__(self) -> "Uploading":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def decrypted(emulator: Azurite, name: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library says that version 1 is old
        return emulator.decrypted(name, RegistryKey())


async def kept(folder: Path) -> JobFile | None:
    """What the journal of a dead process holds."""
    store = open_store(folder / "tocsin.db")
    await store.open()
    try:
        return next(iter(await store.job_files(JOB.id)), None)
    finally:
        await store.aclose()


class Killed:
    """One file whose upload is killed so many times; now and then the attempt is lost with its journal, and another
    begins at the same blob.
    """

    def __init__(self, folder: Path, emulator: Azurite, name: str, size: int, randomness: random.Random) -> None:
        self._folder = folder
        self._emulator = emulator
        self._name = name
        self._randomness = randomness
        self._plain = noise(randomness.getrandbits(31), size)
        self._file = folder / "clip"
        self._file.write_bytes(self._plain)
        self._attempt = 0
        self._tags: list[bytes] = []
        self._keys: set[bytes] = set()
        self.kills = 0

    @property
    def _journal(self) -> Path:
        folder = self._folder / f"attempt-{self._attempt}"
        folder.mkdir(exist_ok=True)
        return folder

    async def survive(self, kills: int, block_size: int) -> None:
        blocks = len(self._plain) // block_size + 1
        while True:
            with Uploading(self._journal, self._file, self._emulator.uri(self._name), block_size) as process:
                most = blocks // (kills + 1)  # so that something is left for each of them
                last = 10**6 if self.kills == kills else self._randomness.randint(0, most)
                said = process.reaches(last)
                if "ended" in said:
                    assert said["ended"] in ("Uploaded", "Unsure")  # killed after the commit, before its answer
                    break
                time.sleep(self._randomness.random() * 0.02)  # anywhere between two lines
                process.signal(signal.SIGKILL)
            self.kills += 1
            await self._note()
            if self._randomness.random() < 0.15:
                self._attempt += 1
        await self._check()

    async def _note(self) -> None:
        """The keys, while they are there."""
        file = await kept(self._journal)
        if file and file.upload and file.upload.sealed_key:
            sealing = machine_key(self._journal, {}, os.urandom)
            self._keys.add(sealing.unseal(file.upload.sealed_key, file.upload.iv + file.upload.tag))

    async def _check(self) -> None:
        assert decrypted(self._emulator, self._name) == self._plain
        file = await kept(self._journal)
        assert file is not None
        assert file.upload is not None
        assert (file.state, file.upload.sealed_key, "sig=" in file.upload.uri) == ("committed", b"", False)
        assert {name[:8] for name in self._emulator.block_ids(self._name)} <= {file.upload.tag}
        written = b"".join(path.read_bytes() for path in self._folder.rglob("*") if path.name.startswith("tocsin.db"))
        for key in self._keys:
            assert not any(form in written for form in (key, key.hex().encode(), base64.b64encode(key)))


async def killed(folder: Path, emulator: Azurite, sizes: list[int], kills: int, block_size: int) -> int:
    print(f"SEED={SEED}")
    randomness, total = random.Random(SEED), 0
    for number, size in enumerate(sizes):
        (folder / f"{number}").mkdir()
        file = Killed(folder / f"{number}", emulator, f"killed-{SEED}-{number}", size, randomness)
        await file.survive(kills, block_size)
        total += file.kills
    return total


async def test_uploads_survive_kills(emulator: Azurite, tmp_path: Path) -> None:
    assert await killed(tmp_path, emulator, [3 * MIB + 5, 200 * KIB], 3, 256 * KIB) >= 3


@pytest.mark.prove
async def test_uploads_survive_many_kills(emulator: Azurite, tmp_path: Path) -> None:
    """12 files, 48 kills."""
    sizes = [192 * MIB + n for n in range(11)] + [MIB]
    total = await killed(tmp_path, emulator, sizes, 5, 4 * MIB)
    print(f"{len(sizes)} files, {total} kills, all as they were")
    assert total >= 40


@contextlib.contextmanager
def frozen(process: Uploading) -> Iterator[None]:
    """It has stopped itself; it is awake again at the end."""
    process.has_stopped()
    try:
        yield
    finally:
        process.signal(signal.SIGCONT)


@pytest.mark.parametrize("awake", [0, 4])
async def test_a_frozen_upload_that_wakes_up_spoils_nothing(emulator: Azurite, tmp_path: Path, awake: int) -> None:
    """Its lock is long with another, who has committed, or is in the middle of it. No fence stands here: the worst."""
    (tmp_path / "clip").write_bytes(noise(9, 6 * MIB + 1))
    name = f"frozen-{awake}"
    for folder in ("stale", "new"):
        (tmp_path / folder).mkdir()
    with contextlib.ExitStack() as stack:
        stale = stack.enter_context(Uploading(tmp_path / "stale", tmp_path / "clip", emulator.uri(name), 256 * KIB, 6))
        with frozen(stale):
            new = Uploading(tmp_path / "new", tmp_path / "clip", emulator.uri(name), 256 * KIB, awake)
            stack.enter_context(new)
            ends = [] if awake else [new.ends()]
            if awake:
                new.has_stopped()
        if awake:
            new.signal(signal.SIGCONT)
            ends.append(new.ends())
        ends.append(stale.ends())
    assert ends.count("Uploaded") == 1
    assert {"StartOver", "Unsure", "Uploaded"}.issuperset(ends)
    assert decrypted(emulator, name) == noise(9, 6 * MIB + 1)
    (tag,) = {found[:8] for found in emulator.block_ids(name)}
    files = [await kept(tmp_path / folder) for folder in ("stale", "new")]
    committed = {file.upload.tag for file in files if file and file.upload and file.state == "committed"}
    assert tag in committed
    assert len(committed) == 1 or "Unsure" in ends


def any_fault(randomness: random.Random, most_bytes: int) -> Fault:
    """Ends every connection: on the way there, or, after a few answers, on the way back."""
    then: Then = randomness.choice(("close", "reset", "half-close", "black hole"))
    delay_s = randomness.choice((0.0, 0.0, 0.01))
    if randomness.random() < 0.7:
        return Fault(up=Leg(randomness.randint(0, most_bytes), then, delay_s))
    return Fault(down=Leg(randomness.randint(0, 2000), then, delay_s))


async def over_a_bad_link(emulator: Azurite, file: Path, name: str, connections: int, block_size: int) -> None:
    randomness = random.Random(SEED)
    async with FaultProxy("127.0.0.1", emulator.port) as proxy:
        proxy.script(*(any_fault(randomness, 2 * block_size) for _ in range(connections)), CLEAN)
        options = UploadOptions(stall_s=1.0)
        uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, LoopClock(), randomness)
        begun = uploader.begin(file, place(emulator.uri(name, "rcw", port=proxy.port)), LoopClock().now())
        journal = MemoryJournal()
        upload = replace(begun, block_size=block_size)
        await uploader.carry_out(file, job_file(upload=upload), journal, lambda: None)
        await uploader.aclose()
        assert len(proxy.connections) > connections, "every fault was met"
    assert decrypted(emulator, name) == file.read_bytes()
    assert journal.told == sorted(journal.told)


async def test_files_arrive_over_a_bad_link(emulator: Azurite, tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    (tmp_path / "clip").write_bytes(noise(4, 2 * MIB + 3))
    await over_a_bad_link(emulator, tmp_path / "clip", f"bad-{SEED}", 8, 64 * KIB)


@pytest.mark.prove
async def test_files_arrive_over_a_very_bad_link(emulator: Azurite, tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    for number in range(6):
        (tmp_path / "clip").write_bytes(noise(number, 16 * MIB + number))
        await over_a_bad_link(emulator, tmp_path / "clip", f"very-bad-{SEED}-{number}", 30, 256 * KIB)
