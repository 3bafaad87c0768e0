"""A spooled file cut into encrypted blocks: read, digested and encrypted in one pass, into buffers that are reused.

Everything here blocks; it runs in worker threads. CBC is serial (12.1), so one file is cut by one thread; the digests
of a finished block run in another one beside it.
"""

import hashlib
import os
from pathlib import Path

from msgspec import Struct

from tocsin.evidence.contracts import SourceChanged
from tocsin.evidence.encryption import CIPHER_UNIT, Encryptor, cipher_size
from tocsin.model.evidence import SourceIdentity

_WINDOW = 256 * 1024
"""Small enough to stay in the processor's cache between reading, digest and encryption."""


def identity_of(found: os.stat_result) -> SourceIdentity:
    return SourceIdentity(found.st_size, found.st_mtime_ns, found.st_ino)


class Cut(Struct, frozen=True):
    """One encrypted block: cipher text in a buffer that the reader gives back. `chain`: its last 16 bytes (12.2)."""

    number: int
    data: memoryview
    chain: bytes


def md5_of(cut: Cut) -> bytes:
    """For Content-MD5."""
    return hashlib.md5(cut.data, usedforsecurity=False).digest()


class Cutter:
    """Blocks of one file from its beginning, in order; `source` is what the file must stay. Raises SourceChanged."""

    def __init__(self, file: Path, source: SourceIdentity, encryptor: Encryptor, block_size: int) -> None:
        self._source = source
        self._encryptor = encryptor
        self._block_size = block_size
        self._plain_left = source.size
        self._cipher_left = cipher_size(source.size)
        self._window = memoryview(bytearray(_WINDOW))
        self._plain = hashlib.sha256()
        self._cipher = hashlib.sha256()
        self._number = 0
        try:
            self._file = file.open("rb", buffering=0)
        except OSError as error:
            raise SourceChanged(f"The spooled file {file.name} cannot be read: {error.strerror}") from None

    @property
    def sha256(self) -> str:
        """Of the plain text cut so far."""
        return self._plain.hexdigest()

    @property
    def cipher_sha256(self) -> str:
        """Of the cipher text digested so far."""
        return self._cipher.hexdigest()

    def cut(self, buffer: memoryview) -> Cut:
        """The next block, into a buffer that is longer than a block by SLACK."""
        wanted = min(self._block_size, self._cipher_left)
        written = self._encrypted(min(wanted, self._plain_left), buffer)
        self._cipher_left -= wanted
        if not self._cipher_left:
            written += self._encryptor.finish_into(buffer[written:])
            self._must_be_the_same()
        assert written == wanted
        self._number += 1
        return Cut(self._number - 1, buffer[:wanted], bytes(buffer[wanted - CIPHER_UNIT : wanted]))

    def _encrypted(self, plain: int, buffer: memoryview) -> int:
        """So many bytes of the file, encrypted into the buffer."""
        written = 0
        while plain:
            self._must_be_the_same()
            window = self._window[: self._file.readinto(self._window[: min(plain, _WINDOW)]) or 0]
            if not window:
                raise SourceChanged("The spooled file has become shorter while it was encrypted")
            self._plain.update(window)
            written += self._encryptor.update_into(window, buffer[written:])
            plain -= len(window)
            self._plain_left -= len(window)
        return written

    def note(self, cut: Cut) -> None:
        """The digest of the whole cipher text goes on. Called in order, for every block."""
        self._cipher.update(cut.data)

    def _must_be_the_same(self) -> None:
        if identity_of(os.fstat(self._file.fileno())) != self._source:
            raise SourceChanged("The spooled file has changed since its encryption was begun")

    def close(self) -> None:
        self._file.close()
