"""No secret in any log (clearance.md 15): whole uploads with every logger at DEBUG, and every way they can fail."""

import asyncio
import base64
import logging
import os
import random
import traceback
from pathlib import Path
from typing import Any

import pytest
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.standin import Standin, no_wait
from blobkit.vectors import noise
from msgspec.structs import replace

from tocsin.engine.clock import LoopClock
from tocsin.evidence.contracts import Fenced, Impossible, NotNow, PlaceExpired, StartOver
from tocsin.evidence.sealing import MachineKey
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.standins.blobs import Fault

FAULTS: list[list[Any]] = [
    [], ["drop", "busy", "swallow", "damage"], ["expire"], ["gone"], ["immutable"], ["missing-right"], ["damage"] * 12,
]  # fmt: skip


class Remembering:
    """Every random byte that was given out: keys are among them."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def __call__(self, size: int) -> bytes:
        self.given.append(os.urandom(size))
        return self.given[-1]


@pytest.mark.parametrize("kinds", FAULTS)
async def test_no_log_line_and_no_error_tells_a_secret(
    standin: Standin,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    kinds: list[Any],
) -> None:
    secrets, machine = Remembering(), b"m" * 32
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().slow_callback_duration = 0.0
    (tmp_path / "clip").write_bytes(noise(1, 1_000_000))
    uploader = Uploader(UploadOptions(), MachineKey(machine), secrets, LoopClock(), random.Random(1), no_wait)
    standin.switches.faults["block"] = [Fault(kind) for kind in kinds]
    uri = standin.address("clip")
    upload = replace(uploader.begin(tmp_path / "clip", place(uri), LoopClock().now()), block_size=65536)
    told = ""
    try:
        await uploader.carry_out(tmp_path / "clip", job_file(upload=upload), MemoryJournal(), lambda: None)
    except (NotNow, PlaceExpired, StartOver, Fenced, Impossible) as error:
        told = "".join(traceback.format_exception(error))
    await uploader.aclose()
    asyncio.get_running_loop().set_debug(False)
    written = caplog.text + told + repr(uploader) + "".join(capfd.readouterr())
    assert "127.0.0.1" in written, "the loggers were at work"
    signature = uri.partition("sig=")[2]
    found = [signature, "sig=", *spelled(machine), *(text for key in secrets.given for text in spelled(key))]
    assert [text for text in found if text in written] == []


def spelled(key: bytes) -> list[str]:
    if len(key) < 16:
        return []
    return [key.hex(), base64.b64encode(key).decode().rstrip("="), base64.urlsafe_b64encode(key).decode().rstrip("=")]
