"""The blob stand-in as the tests use it: what it was told, waits that take no time, contents decrypted."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

from blobkit.vectors import read_back
from tocsin.engine.clock import LoopClock
from tocsin.standins.blob_store import BlobStore
from tocsin.standins.blobs import BlobStandin


async def no_wait(seconds: float) -> None:
    """Back-off that lets others run and takes no time."""
    await asyncio.sleep(0)


class Standin(BlobStandin):
    def __init__(self, folder: Path) -> None:
        self.told: list[dict[str, Any]] = []
        super().__init__("127.0.0.1:0", self._hear, LoopClock(), BlobStore(folder), b"k" * 32)

    def _hear(self, line: dict[str, Any]) -> None:
        self.told.append(line)

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [line for line in self.told if line["request"] == f"PUT {operation}"]

    def decrypted(self, name: str) -> bytes:
        """As Azure's own reader finds it."""
        cipher, metadata = self.content(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the reader says that version 1 is old
            return read_back(cipher, metadata["encryptiondata"])
