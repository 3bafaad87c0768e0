"""Uploads to Microsoft's own emulator, read back by Microsoft's own library."""

import urllib.parse
import urllib.request
import warnings
from pathlib import Path

import pytest
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.vectors import RegistryKey, noise
from msgspec.structs import replace
from tests.azurite import Azurite

from tocsin.engine.clock import LoopClock
from tocsin.evidence.encryption import block_id, cipher_size
from tocsin.evidence.upload import Uploader

BLOCK = 4 * 1024 * 1024


def decrypted(emulator: Azurite, name: str) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library says that version 1 is old
        return emulator.decrypted(name, RegistryKey())


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, BLOCK - 16, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
async def test_files_of_every_length(emulator: Azurite, uploader: Uploader, tmp_path: Path, length: int) -> None:
    name, plain, journal = f"length-{length}", noise(length, length), MemoryJournal()
    (tmp_path / "file").write_bytes(plain)
    upload = uploader.begin(tmp_path / "file", place(emulator.uri(name)), LoopClock().now())
    done = await uploader.carry_out(tmp_path / "file", job_file(upload=upload), journal, lambda: None)
    assert decrypted(emulator, name) == plain
    assert done.cipher_size == cipher_size(length) == len(emulator.read(name)[0])
    assert journal.last.state == "committed"
    assert journal.last.upload is not None
    assert (journal.last.upload.sealed_key, "sig=" in journal.last.upload.uri) == (b"", False)
    assert journal.told[-1] == (done.cipher_size, done.cipher_size)
    assert journal.told == sorted(journal.told)


async def test_it_goes_on_where_the_journal_stands(emulator: Azurite, uploader: Uploader, tmp_path: Path) -> None:
    """From every state that was ever kept, as if the process had died right after."""
    plain = noise(5, 5 * BLOCK + 7)
    (tmp_path / "file").write_bytes(plain)
    first = MemoryJournal()
    upload = uploader.begin(tmp_path / "file", place(emulator.uri("resumed")), LoopClock().now())
    begun = job_file(upload=upload)
    done = await uploader.carry_out(tmp_path / "file", begun, first, lambda: None)
    kept = [file.upload.next for file in first.states if file.upload and file.state == "uploading"]
    assert kept == sorted(set(kept))
    assert kept[-1] == 6
    for number, state in enumerate([begun, *first.states[:-2]]):
        assert state.upload is not None
        name, again = f"resumed-{number}", MemoryJournal()
        # the blocks that were stored under the first name are stored under this one too
        for n in range(state.upload.next):
            stage(emulator.uri(name), block_id(upload.tag, n), emulator.read("resumed")[0][n * BLOCK : (n + 1) * BLOCK])
        moved = replace(state, upload=replace(state.upload, uri=emulator.uri(name)))
        found = await uploader.carry_out(tmp_path / "file", moved, again, lambda: None)
        assert (found.sha256, found.cipher_sha256) == (done.sha256, done.cipher_sha256)
        assert decrypted(emulator, name) == plain
        assert len([one for one in again.states if one.state == "uploading"]) <= 6 - state.upload.next


def stage(uri: str, name: str, data: bytes) -> None:
    url = f"{uri}&comp=block&blockid={urllib.parse.quote(name, safe='')}"
    with urllib.request.urlopen(urllib.request.Request(url, data, method="PUT"), timeout=60) as answer:
        assert answer.status == 201
