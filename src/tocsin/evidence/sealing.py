"""Content keys at rest: sealed with AES-256-GCM under a key of this machine that is kept outside the store (12.2)."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.evidence.contracts import StartOver

KEY_FILE = "evidence.key"
CREDENTIAL = "tocsin-evidence-key"
_KEY_SIZE = 32
NONCE_SIZE = 12
_MARK_SIZE = 8
_VERSION = b"\x01"


class MachineKeyUnusable(Exception):
    """The machine key's file cannot be read, or others can read it too; the text says what to do."""


class KeyGone(StartOver):
    """A content key cannot be unsealed: the upload it belongs to cannot go on."""


class MachineKey:
    """Seals and unseals content keys. What is sealed says by which machine key, so that a lost one is told from a
    damaged journal.
    """

    def __init__(self, key: bytes) -> None:
        self._sealing = AESGCM(key)
        self._mark = hashlib.sha256(b"tocsin machine key" + key).digest()[:_MARK_SIZE]

    def seal(self, content_key: bytes, belongs_to: bytes, nonce: bytes) -> bytes:
        """`belongs_to` must be given again to unseal; `nonce`: 12 random bytes, new each time."""
        head = _VERSION + self._mark
        return head + nonce + self._sealing.encrypt(nonce, content_key, head + belongs_to)

    def unseal(self, sealed: bytes, belongs_to: bytes) -> bytes:
        """Raises KeyGone."""
        head, rest = sealed[: 1 + _MARK_SIZE], sealed[1 + _MARK_SIZE :]
        if head != _VERSION + self._mark:
            raise KeyGone(
                "The content key of this upload was sealed with another machine key than this machine has now: the "
                "file is uploaded anew with a new key. If the key file was lost or replaced, nothing else needs doing"
            )
        try:
            return self._sealing.decrypt(rest[:NONCE_SIZE], rest[NONCE_SIZE:], head + belongs_to)
        except (InvalidTag, ValueError):
            raise KeyGone(
                "The sealed content key of this upload is damaged in the store: the file is uploaded anew with a new "
                "key. Check the disk of the store"
            ) from None


def machine_key(folder: Path, environment: Mapping[str, str], randomness: Callable[[int], bytes]) -> MachineKey:
    """systemd's credential `tocsin-evidence-key` if there is one, else the file `evidence.key` in the folder, made at
    first use. Raises MachineKeyUnusable.
    """
    credentials = environment.get("CREDENTIALS_DIRECTORY", "")
    if credentials and (Path(credentials) / CREDENTIAL).exists():
        return MachineKey(_read(Path(credentials) / CREDENTIAL))
    file = folder / KEY_FILE
    try:
        if not file.exists():
            _make(file, randomness(_KEY_SIZE))
    except OSError as error:
        raise MachineKeyUnusable(f"The machine key {file} cannot be written: {error.strerror}") from None
    return MachineKey(_read(file))


def _read(file: Path) -> bytes:
    try:
        mode, key = file.stat().st_mode, file.read_bytes()
    except OSError as error:
        raise MachineKeyUnusable(
            f"The machine key {file} cannot be read: {error.strerror}. Give it to the user of the gateway; without it "
            "begun uploads start anew"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise MachineKeyUnusable(
            f"Others can read the machine key {file} (mode {mode & 0o777:04o}), which seals the keys of evidence: "
            f"chmod 600 {file}"
        )
    if len(key) != _KEY_SIZE:
        raise MachineKeyUnusable(
            f"The machine key {file} has {len(key)} bytes instead of {_KEY_SIZE}. Put it back from a backup, or move "
            "it away: a new one is made, and begun uploads start anew"
        )
    return key


def _make(file: Path, key: bytes) -> None:
    """Whole or not at all, also when the machine stops in between."""
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as written:
        written.write(key)
        written.flush()
        os.fsync(written.fileno())
    part.rename(file)
    _sync(file.parent)


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
