"""Encrypting a spooled file and storing it in a blob (clearance.md 10 to 12): the whole of it, from the journal's state
to the commit.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from tocsin.engine.contracts import Clock, Randomness
from tocsin.evidence.asking import Asking, NoWatch, Surroundings, Watch
from tocsin.evidence.contracts import Impossible, Journal, NotNow, Place, Sleep, StartOver, Uploaded
from tocsin.evidence.cutting import identity_of
from tocsin.evidence.encryption import (
    IV_SIZE,
    KEY_SIZE,
    TAG_SIZE,
    KeyRefused,
    block_size,
    cipher_size,
    metadata,
    read_key,
    wrapped,
)
from tocsin.evidence.file_upload import FileUpload, uploaded
from tocsin.evidence.pace import Pace
from tocsin.evidence.sealing import NONCE_SIZE, MachineKey
from tocsin.evidence.sending import Gate, Reached, Threads
from tocsin.evidence.storage import AddressRefused, BlobStorage, read_address
from tocsin.model.evidence import JobFile, Upload
from tocsin.transports.contract import TlsOptions
from tocsin.transports.outbound import Outbound, Proxy


class UploadOptions(Struct, frozen=True):
    """`uploaders` per file; `requests` of all files together; `stall_s`: how long one may stand still (11.5)."""

    uploaders: int = 4
    requests: int = 8
    pace: Pace = Pace()
    proxy: Proxy | None = None
    tls: TlsOptions = TlsOptions()
    stall_s: float = 60.0


class Uploader:
    """Implements `Uploading`. `secrets` gives random bytes for keys, as os.urandom does; `randomness` spreads waits."""

    def __init__(
        self,
        options: UploadOptions,
        machine_key: MachineKey,
        secrets: Callable[[int], bytes],
        clock: Clock,
        randomness: Randomness,
        sleep: Sleep = asyncio.sleep,
        watch: Watch | None = None,
    ) -> None:
        self._options = options
        self._machine_key = machine_key
        self._secrets = secrets
        slots = asyncio.Semaphore(options.requests)
        self._around = Surroundings(clock, randomness, sleep, slots, options.pace, watch or NoWatch())
        self._gate = Gate(self._around)
        self._link = Outbound(options.tls, options.proxy, options.requests, options.stall_s)

    def begin(self, file: Path, place: Place, now: datetime) -> Upload:
        """See `Uploading.begin`."""
        content_key, iv, tag = self._secrets(KEY_SIZE), self._secrets(IV_SIZE), self._secrets(TAG_SIZE)
        try:
            key, address = read_key(place.key), read_address(place.uri)
            wrapped_key = wrapped(key, content_key)
        except KeyRefused as error:
            raise Impossible(f"The registry's key for this file may not be used: {error}") from None
        except AddressRefused as error:
            raise Impossible(f"The registry gives a place that may not be used: {error}") from None
        try:
            source = identity_of(file.stat())
        except OSError as error:
            raise NotNow(f"The spooled file {file.name} cannot be read: {error.strerror}") from None
        return Upload(
            file_id=place.file_id,
            uri=place.uri,
            key_id=key.key_id,
            sealed_key=self._machine_key.seal(content_key, iv + tag, self._secrets(NONCE_SIZE)),
            wrapped_key=wrapped_key,
            iv=iv,
            tag=tag,
            block_size=block_size(cipher_size(source.size)),
            source=source,
            begun_at=now,
            expires_at=address.expires_at,
            chain=iv,
        )

    async def carry_out(self, file: Path, job_file: JobFile, journal: Journal, fence: Callable[[], None]) -> Uploaded:
        """See `Uploading.carry_out`."""
        upload = job_file.upload
        assert upload is not None
        try:
            address = read_address(upload.uri)
        except AddressRefused as error:
            raise StartOver(f"The place of this file cannot be read any more: {error}") from None
        if job_file.state == "committed":
            return uploaded(job_file, address, self._around.clock.now(), True)
        content_key = self._machine_key.unseal(upload.sealed_key, upload.iv + upload.tag)
        storage = BlobStorage(self._link, address, upload.tag, metadata(upload.iv, upload.wrapped_key, upload.key_id))
        asking = Asking(self._around, address, upload.begun_at, fence)
        one = FileUpload(self._around, self._gate, storage, asking, Reached(job_file, upload, journal), journal)
        return await one.carry_out(lambda: Threads(file, upload, content_key), self._options.uploaders)

    async def aclose(self) -> None:
        await self._link.aclose()
