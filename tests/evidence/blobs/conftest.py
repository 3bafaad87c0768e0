"""`blobkit` can be imported; one Azurite for all tests of the room."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.azurite import Azurite, azurite, why_not


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if why_not():
        pytest.skip(why_not())
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server
