"""One file on its way into its blob, from the journal's state to the commit (clearance.md 11, 12.2)."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from msgspec.structs import replace

from tocsin.evidence.asking import Asking, Settled, Surroundings, give_up
from tocsin.evidence.contracts import (
    Fenced,
    Impossible,
    Journal,
    NotNow,
    PlaceExpired,
    SourceChanged,
    StartOver,
    Uploaded,
)
from tocsin.evidence.encryption import SLACK, block_count
from tocsin.evidence.sending import Blocks, Gate, Reached, RightMissing, Threads
from tocsin.evidence.storage import LARGEST_PUT, Address, Answer, BlobStorage
from tocsin.model.evidence import JobFile
from tocsin.transports.contract import TransportError
from tocsin.transports.outbound import Body


class FileUpload:
    """One call of `Uploading.carry_out`."""

    def __init__(
        self,
        surroundings: Surroundings,
        gate: Gate,
        storage: BlobStorage,
        asking: Asking,
        reached: Reached,
        journal: Journal,
    ) -> None:
        self._around = surroundings
        self._gate = gate
        self._storage = storage
        self._asking = asking
        self._journal = journal
        self._reached = reached
        self._given = reached.file
        self._sent_before = reached.file.state == "commit_sent"
        self._size = reached.expected
        self._count = block_count(self._size, reached.upload.block_size)

    async def carry_out(self, reading: Callable[[], Threads], uploaders: int) -> Uploaded:
        self._reached.tell()
        if self._sent_before and self._reached.upload.next == self._count:
            return await self._committed(self._reached.file)
        if self._count == 1:
            return await self._small(reading)
        try:
            digested = await self._blocks(reading, uploaders)
        except RightMissing:
            return await self._whole(reading)
        return await self._committed(digested)

    async def _blocks(self, reading: Callable[[], Threads], uploaders: int) -> JobFile:
        blocks = Blocks(self._around, self._gate, self._storage, self._asking, self._reached)
        async with reading() as threads:
            try:
                await blocks.send(threads, uploaders)
            except BaseExceptionGroup as failed:
                raise _first(failed) from None
            return self._digested(threads)

    async def _committed(self, file: JobFile) -> Uploaded:
        """Put Block List; what must be known to repeat it is kept before (12.2)."""
        await self._keep_sent(file)
        settled = await self._asking.settled(lambda: self._storage.commit(self._count), self._sent_before)
        return await self._ended(file, settled)

    async def _small(self, reading: Callable[[], Threads]) -> Uploaded:
        """One request for a file of one block."""
        async with reading() as threads:
            cut = await threads.cut(memoryview(bytearray(self._size + SLACK)))
            md5 = await threads.digest(cut)
            file = self._digested(threads)
        await self._keep_sent(file)
        settled = await self._asking.settled(
            lambda: self._storage.put_blob(self._gate.body(cut.data), md5), self._sent_before
        )
        return await self._ended(file, settled)

    async def _whole(self, reading: Callable[[], Threads]) -> Uploaded:
        """One request for a large file, where the permission allows no blocks: every try begins anew (11.3)."""
        if self._asking.address.may("w") or not self._asking.address.rights:
            raise Impossible("The storage does not allow to write this file, though the permission says so")
        if self._size > LARGEST_PUT:
            raise Impossible("The permission allows only one request for this file, and it has more than 5000 MiB")
        file = await self._passed(reading)
        await self._keep_sent(file)

        async def send() -> Answer:
            async with reading() as threads:
                body = Body(self._stream(threads), self._size)
                try:
                    return await self._storage.put_blob(body, None)
                except TransportError:
                    threads.must_not_have_failed()
                    raise

        return await self._ended(file, await self._asking.settled(send, self._sent_before))

    async def _passed(self, reading: Callable[[], Threads]) -> JobFile:
        """The digests, before anything is sent."""
        buffer = memoryview(bytearray(self._reached.upload.block_size + SLACK))
        async with reading() as threads:
            for _ in range(self._count):
                await threads.note(await threads.cut(buffer))
            return self._digested(threads)

    async def _stream(self, threads: Threads) -> AsyncIterator[bytes]:
        """The connection may hold on to what it is given: the buffer is used again, so it gets copies."""
        buffer = memoryview(bytearray(self._reached.upload.block_size + SLACK))
        for _ in range(self._count):
            cut = await threads.cut(buffer)
            async for piece in self._gate.pieces(cut.data):
                yield bytes(piece)

    def _digested(self, threads: Threads) -> JobFile:
        """Raises SourceChanged when the file is not what was spooled."""
        cutter = threads.cutter
        if self._given.sha256 not in ("", cutter.sha256):
            raise SourceChanged("The spooled file is not the one that was fetched: its SHA-256 is another")
        return replace(
            self._reached.file,
            size=self._reached.upload.source.size,
            sha256=cutter.sha256,
            cipher_size=self._size,
            cipher_sha256=cutter.cipher_sha256,
            upload=self._reached.upload,
        )

    async def _keep_sent(self, file: JobFile) -> None:
        if not self._sent_before:
            await self._journal.keep(replace(file, state="commit_sent"))

    async def _ended(self, file: JobFile, settled: Settled) -> Uploaded:
        sure = await self._is_sure(settled)
        address, upload = self._asking.address, self._reached.upload
        now = self._around.clock.now()
        self._journal.stored(self._size, self._size)
        self._around.watch.committed(address.blob, self._asking.left_s() if address.expires_at else None)
        kept = replace(file, state="committed", upload=replace(upload, sealed_key=b"", uri=address.public))
        await self._journal.keep(kept)
        return uploaded(file, address, now, sure)

    async def _is_sure(self, settled: Settled) -> bool:
        """Whether the file is stored for sure. An answer that was lost is settled by looking, where the permission
        allows it, else by the registry's taking the file (11.4). Raises what the answer means when it was not us.
        """
        if settled.answer.meaning == "stored":
            return True
        if not settled.doubt or settled.answer.meaning not in ("list", "taken"):
            give_up(settled.answer, self._asking.address)
        if not self._asking.address.may("r"):
            return False
        ours = await self._asking.looked(lambda: self._storage.is_ours(self._size))
        if ours is False:
            give_up(settled.answer, self._asking.address)
        return ours is True


def uploaded(file: JobFile, address: Address, at: datetime, sure: bool) -> Uploaded:
    return Uploaded(file.size, file.sha256, file.cipher_size, file.cipher_sha256, address.blob, at, sure)


_SEVEREST_FIRST = (Fenced, StartOver, RightMissing, PlaceExpired, Impossible, NotNow)


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of several that failed together, the one that gives up the most; a defect before all."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [failed]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(one.exceptions)
        else:
            leaves.append(one)
    return min(
        leaves, key=lambda leaf: next((n for n, kind in enumerate(_SEVEREST_FIRST) if isinstance(leaf, kind)), -1)
    )
