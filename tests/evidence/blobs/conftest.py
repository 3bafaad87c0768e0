"""`blobkit` can be imported; one Azurite for all tests of the room."""

import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[3]))

from blobkit.standin import Standin, no_wait
from tests.azurite import Azurite, azurite, why_not

from tocsin.engine.clock import LoopClock
from tocsin.evidence.sealing import MachineKey
from tocsin.evidence.upload import Uploader, UploadOptions


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if why_not():
        pytest.skip(why_not())
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
async def uploader() -> AsyncIterator[Uploader]:
    options = UploadOptions(stall_s=5.0)
    uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, LoopClock(), random.Random(1), no_wait)
    yield uploader
    await uploader.aclose()


@pytest.fixture
async def standin(tmp_path: Path) -> AsyncIterator[Standin]:
    (tmp_path / "blobs").mkdir()
    standin = Standin(tmp_path / "blobs")
    await standin.start()
    yield standin
    await standin.aclose()
