"""Content keys at rest: nobody reads them without the machine key, and what is gone is said in a sentence."""

import os
import stat
from pathlib import Path

import pytest

from tocsin.evidence.contracts import StartOver
from tocsin.evidence.sealing import KEY_FILE, KeyGone, MachineKey, MachineKeyUnusable, machine_key

CONTENT_KEY, NONCE = bytes(range(32)), bytes(range(12))


def test_a_key_comes_back_under_the_same_machine_key() -> None:
    sealed = MachineKey(b"m" * 32).seal(CONTENT_KEY, b"file-1", NONCE)
    assert CONTENT_KEY not in sealed
    assert MachineKey(b"m" * 32).unseal(sealed, b"file-1") == CONTENT_KEY


@pytest.mark.parametrize("place", range(0, 69, 4))
def test_damage_anywhere_is_seen(place: int) -> None:
    sealed = bytearray(MachineKey(b"m" * 32).seal(CONTENT_KEY, b"file-1", NONCE))
    assert len(sealed) == 69
    sealed[place] ^= 1
    with pytest.raises(KeyGone):
        MachineKey(b"m" * 32).unseal(bytes(sealed), b"file-1")


@pytest.mark.parametrize("sealed", [b"", b"\x01", MachineKey(b"m" * 32).seal(CONTENT_KEY, b"f", NONCE)[:20]])
def test_what_is_cut_off_is_seen(sealed: bytes) -> None:
    with pytest.raises(KeyGone):
        MachineKey(b"m" * 32).unseal(sealed, b"f")


def test_it_belongs_to_one_upload() -> None:
    sealed = MachineKey(b"m" * 32).seal(CONTENT_KEY, b"file-1", NONCE)
    with pytest.raises(KeyGone, match="damaged"):
        MachineKey(b"m" * 32).unseal(sealed, b"file-2")


def test_a_lost_machine_key_means_a_new_upload_and_says_so() -> None:
    sealed = MachineKey(b"m" * 32).seal(CONTENT_KEY, b"file-1", NONCE)
    with pytest.raises(StartOver, match="another machine key"):
        MachineKey(b"n" * 32).unseal(sealed, b"file-1")


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    sealed = machine_key(tmp_path, {}, os.urandom).seal(CONTENT_KEY, b"f", NONCE)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert machine_key(tmp_path, {}, os.urandom).unseal(sealed, b"f") == CONTENT_KEY


def test_a_half_made_key_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / f"{KEY_FILE}.part").write_bytes(b"half")
    machine_key(tmp_path, {}, os.urandom)
    assert len((tmp_path / KEY_FILE).read_bytes()) == 32


def test_the_service_may_be_given_its_key(tmp_path: Path) -> None:
    given = tmp_path / "tocsin-evidence-key"
    given.write_bytes(b"m" * 32)
    given.chmod(0o400)
    key = machine_key(tmp_path / "nowhere", {"CREDENTIALS_DIRECTORY": str(tmp_path)}, os.urandom)
    assert key.unseal(MachineKey(b"m" * 32).seal(CONTENT_KEY, b"f", NONCE), b"f") == CONTENT_KEY


@pytest.mark.parametrize(("content", "mode", "part"), [(b"m" * 32, 0o640, "chmod 600"), (b"m" * 31, 0o600, "31 bytes")])
def test_a_key_file_that_may_not_be_used_says_what_to_do(tmp_path: Path, content: bytes, mode: int, part: str) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(MachineKeyUnusable, match=part):
        machine_key(tmp_path, {}, os.urandom)


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MachineKeyUnusable, match="cannot be written"):
        machine_key(tmp_path / "nowhere", {}, os.urandom)
