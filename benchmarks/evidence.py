"""Evidence: encrypting against openssl, uploading to Azurite against Azure's own library, going on after a kill."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.azurite import Azurite, azurite, why_not

from benchmarks.blob_sender import BLOCK
from benchmarks.figure import Figure, new_folder
from benchmarks.process import once, serving
from tocsin.evidence.cutting import identity_of
from tocsin.evidence.encryption import SLACK, block_count, cipher_size
from tocsin.evidence.sending import Threads
from tocsin.model.evidence import Upload

GIB = 1024**3
PAIRS, RESUMED = 5, 3
KEY, IV = bytes(range(32)), bytes(range(16))


def encrypting() -> Iterator[Figure]:
    """1 GiB that the system has in memory: read, two SHA-256, encryption, MD5; openssl one after the other."""
    file = _file(new_folder(), GIB)
    pairs = [(_openssl(file), asyncio.run(_cut(file))) for _ in range(PAIRS)]
    theirs, ours = pairs[-1]
    yield Figure(
        "1 GiB encrypted and digested",
        _median([theirs / ours for theirs, ours in pairs]),
        "x",
        1.2,
        f"{GIB / ours / 1e6:.0f} MB/s, with a SHA-256 of the cipher text",
        f"openssl enc, then sha256, then md5 {GIB / theirs / 1e6:.0f} MB/s; load {os.getloadavg()[0]:.1f}",
    )
    shutil.rmtree(file.parent)


async def _cut(file: Path) -> float:
    source = identity_of(file.stat())
    upload = Upload("f", "", "k", b"", b"", IV, b"t" * 8, BLOCK, source, datetime.now(UTC))
    buffers = [memoryview(bytearray(BLOCK + SLACK)) for _ in range(3)]
    began = time.perf_counter()
    async with Threads(file, upload, KEY) as threads:
        digests: list[asyncio.Future[bytes]] = []
        for number in range(block_count(cipher_size(source.size), BLOCK)):
            if number >= len(buffers):
                await digests[number - len(buffers)]  # its buffer is used again
            digests.append(threads.digest(await threads.cut(buffers[number % len(buffers)])))
        await asyncio.gather(*digests)
    return time.perf_counter() - began


def _openssl(file: Path) -> float:
    began = time.perf_counter()
    for command in (
        ["enc", "-aes-256-cbc", "-K", KEY.hex(), "-iv", IV.hex(), "-in", str(file), "-out", os.devnull],
        ["dgst", "-sha256", str(file)],
        ["dgst", "-md5", str(file)],
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return time.perf_counter() - began


def evidence() -> Iterator[Figure]:
    """1 GiB to Azurite in blocks of 4 MiB, four at once; then killed at half, and begun again."""
    if why_not():
        print(f"evidence: not measured, {why_not()}")
        return
    folder = new_folder()
    file = _file(folder, GIB)
    with azurite(folder / "azurite") as server:
        rounds = [_round(server, folder, file, number) for number in range(PAIRS + 1)][1:]  # the first warms up
        ours, theirs, checked = rounds[-1]
        load = f"load {os.getloadavg()[0]:.1f}"
        shown = f"{GIB / ours['seconds'] / 1e6:.0f} MB/s, {load}"
        yield Figure(
            "1 GiB to Azurite, encrypted",
            _median([theirs["seconds"] / ours["seconds"] for ours, theirs, _ in rounds]),
            "x",
            0.85,
            shown,
            f"azure-storage-blob, plain {GIB / theirs['seconds'] / 1e6:.0f} MB/s",
        )
        yield Figure(
            "the same, the reference with checksums too",
            _median([checked["seconds"] / ours["seconds"] for ours, _, checked in rounds]),
            "x",
            None,
            shown,
            f"validate_content, plain {GIB / checked['seconds'] / 1e6:.0f} MB/s",
        )
        yield Figure(
            "memory during that, above idle",
            max(ours["peak_mb"] - ours["idle_mb"] for ours, *_ in rounds),
            "MB",
            120.0,
            f"idle {ours['idle_mb']:.0f} MB, peak {ours['peak_mb']:.0f} MB",
            f"azure-storage-blob {theirs['peak_mb'] - theirs['idle_mb']:.0f} MB",
            True,
        )
        yield _flat(server, folder, max(ours["peak_mb"] for ours, *_ in rounds))
        yield from _resumed(server, folder, file, _median([ours["seconds"] for ours, *_ in rounds]), load)
    shutil.rmtree(folder)


Round = tuple[dict[str, float], dict[str, float], dict[str, float]]
"""Ours, theirs, and theirs with a checksum on each block, as ours has."""


def _round(server: Azurite, folder: Path, file: Path, number: int) -> Round:
    """Each in turn is the first: who comes later may meet a storage that still writes what was sent before."""
    ways = [
        lambda: _ours(server, folder, file, f"ours-{number}"),
        lambda: _theirs(server, file, f"azure-{number}"),
        lambda: _theirs(server, file, f"checked-{number}", "--checked"),
    ]
    found: dict[int, dict[str, float]] = {}
    for turn in range(len(ways)):
        place = (number + turn) % len(ways)
        os.sync()
        found[place] = ways[place]()
    return found[0], found[1], found[2]


def _ours(server: Azurite, folder: Path, file: Path, name: str) -> dict[str, float]:
    (folder / name).mkdir(exist_ok=True)
    return once("benchmarks.blob_sender", "ours", "--file", file, "--uri", server.uri(name), "--folder", folder / name)


def _theirs(server: Azurite, file: Path, name: str, *more: str) -> dict[str, float]:
    return once("benchmarks.blob_sender", "azure", "--file", file, "--uri", server.uri(name), *more)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _flat(server: Azurite, folder: Path, large_mb: float) -> Figure:
    (folder / "tenth").mkdir()
    small_mb = _ours(server, folder, _file(folder / "tenth", 128 * 1024 * 1024), "small")["peak_mb"]
    shown = f"peak {large_mb:.0f} MB"
    return Figure("memory, 1 GiB against 128 MiB", large_mb - small_mb, "MB", 32.0, shown, f"{small_mb:.0f} MB", True)


def _resumed(server: Azurite, folder: Path, file: Path, whole_s: float, load: str) -> Iterator[Figure]:
    rounds = [_again(server, folder, file, f"killed-{number}") for number in range(RESUMED)]
    sent, seconds = max(one["sent"] for one in rounds), _median([one["seconds"] for one in rounds])
    yield Figure(
        "bytes sent after SIGKILL at half, against all",
        sent / cipher_size(GIB),
        "x",
        0.55,
        f"{sent / 1e6:.0f} MB",
        f"{GIB / 1e6:.0f} MB",
        True,
    )
    yield Figure(
        "time after SIGKILL at half, against all",
        seconds / whole_s,
        "x",
        0.65,
        f"{seconds:.1f} s, {load}",
        f"{whole_s:.1f} s",
        True,
    )


def _again(server: Azurite, folder: Path, file: Path, name: str) -> dict[str, float]:
    """Killed at half; the rest, once the disk has what was sent before, as every round begins."""
    (folder / name).mkdir()
    arguments = ("--file", file, "--uri", server.uri(name), "--folder", folder / name)
    with serving("benchmarks.blob_sender", "ours", *arguments) as child:
        while child.line()["stored"] < GIB / 2:
            pass
        child.process.kill()
        child.process.wait(30)
    os.sync()
    return _ours(server, folder, file, name)


def _file(folder: Path, size: int) -> Path:
    """Bytes that repeat nowhere."""
    with (folder / "clip").open("wb") as written:
        for _ in range(size // (64 * 1024 * 1024)):
            written.write(os.urandom(64 * 1024 * 1024))
    return folder / "clip"
