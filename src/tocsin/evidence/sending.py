"""The blocks of one file on their way: one producer that reads and encrypts, several uploaders, one journal
(clearance.md 12.1, 12.2).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tocsin.evidence.asking import Asking, Surroundings, give_up
from tocsin.evidence.contracts import Journal, PlaceExpired, SourceChanged
from tocsin.evidence.cutting import Cut, Cutter, md5_of
from tocsin.evidence.encryption import SLACK, Encryptor, block_count, cipher_size
from tocsin.evidence.pace import Bucket, piece_size
from tocsin.evidence.storage import BlobStorage, in_pieces
from tocsin.model.evidence import JobFile, Upload
from tocsin.transports.outbound import Body

_AHEAD = 3
"""Finished blocks that wait for an uploader: a storage often answers several at once."""
_RATE_OVER_S = 60.0
_RESERVE = 1.25


class RightMissing(Exception):
    """The permission does not allow blocks (11.3)."""


class Threads:
    """A cutter at work beside the event loop: one thread reads and encrypts, one digests what is finished. A call that
    is cancelled may still run for a moment: buffers given to it are not used again, and the file is closed behind it.
    """

    def __init__(self, file: Path, upload: Upload, content_key: bytes) -> None:
        self._reading = ThreadPoolExecutor(1, "evidence-read")
        self._digesting = ThreadPoolExecutor(1, "evidence-digest")
        self._open = lambda: Cutter(file, upload.source, Encryptor(content_key, upload.iv), upload.block_size)
        self._cutter: Cutter | None = None
        self._changed: SourceChanged | None = None

    @property
    def cutter(self) -> Cutter:
        assert self._cutter is not None
        return self._cutter

    async def __aenter__(self) -> "Threads":
        self._cutter = await asyncio.get_running_loop().run_in_executor(self._reading, self._open)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._reading.submit(self.cutter.close)
        self._reading.shutdown(wait=False)
        self._digesting.shutdown(wait=False)

    async def cut(self, buffer: memoryview) -> Cut:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, self.cutter.cut, buffer)
        except SourceChanged as changed:
            self._changed = changed
            raise

    def must_not_have_failed(self) -> None:
        """Raises the SourceChanged that a connection has taken for a failure of its own."""
        if self._changed is not None:
            raise self._changed from None

    def digest(self, cut: Cut) -> "asyncio.Future[bytes]":
        """The block's MD5 as soon as it is there; to be called in the order of the blocks."""
        return asyncio.get_running_loop().run_in_executor(self._digesting, self._digest, cut)

    def note(self, cut: Cut) -> "asyncio.Future[None]":
        """As `digest`, for a block that needs no MD5."""
        return asyncio.get_running_loop().run_in_executor(self._digesting, self.cutter.note, cut)

    def _digest(self, cut: Cut) -> bytes:
        self.cutter.note(cut)
        return md5_of(cut)


class Gate:
    """In front of the socket: all files of an agent share one bucket (11.5)."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._bucket = Bucket(surroundings.clock.monotonic())

    def body(self, data: memoryview) -> Body:
        return Body(self.pieces(data), len(data))

    async def pieces(self, data: memoryview) -> AsyncIterator[memoryview]:
        """What has begun is finished at full speed when the hours for uploads end in between."""
        for piece in in_pieces(data, piece_size(self._rate() or None)):
            rate = self._rate()
            if rate:
                await self._around.sleep(self._bucket.take(len(piece), rate, self._around.clock.monotonic()))
            yield piece

    def _rate(self) -> float | None:
        return self._around.pace.bytes_per_s(self._around.clock.now())


class Rate:
    """Bytes a second over the last minute."""

    def __init__(self, now: float) -> None:
        self._begun = now
        self._sent: deque[tuple[float, int]] = deque()

    def sent(self, size: int, now: float) -> float:
        """The rate with these bytes in it; 0 as long as less than a minute was measured."""
        self._sent.append((now, size))
        while self._sent[0][0] < now - _RATE_OVER_S:
            self._sent.popleft()
        return sum(size for _, size in self._sent) / _RATE_OVER_S if now - self._begun >= _RATE_OVER_S else 0.0


class Reached:
    """What the storage has acknowledged, and of that the unbroken beginning in the journal: written by one at a time,
    always the newest state.
    """

    def __init__(self, file: JobFile, upload: Upload, journal: Journal) -> None:
        self.file = file
        self.upload = upload
        self._journal = journal
        self._writing = asyncio.Lock()
        self._beyond: dict[int, bytes] = {}

    async def stored(self, cut: Cut) -> None:
        """Returns when what this block adds to the beginning is kept."""
        self._beyond[cut.number] = cut.chain
        async with self._writing:
            number, chain = self.upload.next, self.upload.chain
            while number in self._beyond:
                chain = self._beyond.pop(number)
                number += 1
            if number > self.upload.next:
                await self.keep(replace(self.upload, next=number, chain=chain))

    async def keep(self, upload: Upload) -> None:
        file = replace(self.file, state="uploading", upload=upload)
        await self._journal.keep(file)
        self.file, self.upload = file, upload
        self.tell()

    def tell(self) -> None:
        self._journal.stored(self.done, self.expected)

    @property
    def expected(self) -> int:
        return cipher_size(self.upload.source.size)

    @property
    def done(self) -> int:
        return min(self.upload.next * self.upload.block_size, self.expected)


class _Ready(Struct):
    cut: Cut
    md5: "asyncio.Future[bytes]"
    buffer: memoryview


class Blocks:
    """All blocks of a file from the first one that is not stored. Memory: one buffer per uploader, those that wait, one
    that is filled.
    """

    def __init__(
        self, surroundings: Surroundings, gate: Gate, storage: BlobStorage, asking: Asking, reached: Reached
    ) -> None:
        self._around = surroundings
        self._gate = gate
        self._storage = storage
        self._asking = asking
        self._reached = reached
        self._rate = Rate(surroundings.clock.monotonic())
        self._free: asyncio.Queue[memoryview] = asyncio.Queue()
        self._ready: asyncio.Queue[_Ready | None] = asyncio.Queue(_AHEAD)

    async def send(self, threads: Threads, uploaders: int) -> None:
        """Raises an exception group."""
        count = block_count(self._reached.expected, self._reached.upload.block_size)
        uploaders = max(1, min(uploaders, count - self._reached.upload.next))
        for _ in range(uploaders + _AHEAD + 1):
            self._free.put_nowait(memoryview(bytearray(self._reached.upload.block_size + SLACK)))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._produce(threads, count, uploaders))
            for _ in range(uploaders):
                group.create_task(self._upload())

    async def _produce(self, threads: Threads, count: int, uploaders: int) -> None:
        await self._pass_over(threads)
        for _ in range(self._reached.upload.next, count):
            buffer = await self._free.get()
            cut = await threads.cut(buffer)
            await self._ready.put(_Ready(cut, threads.digest(cut), buffer))
        for _ in range(uploaders):
            await self._ready.put(None)

    async def _pass_over(self, threads: Threads) -> None:
        """What is stored already is read and encrypted once more, for the digests, and to be sure that the file still
        is what it was: the chain value depends on every byte before it.
        """
        upload = self._reached.upload
        for number in range(upload.next):
            buffer = await self._free.get()
            cut = await threads.cut(buffer)
            noted = threads.note(cut)
            noted.add_done_callback(partial(self._freed, buffer))
            if number == upload.next - 1:
                await noted
                if cut.chain != upload.chain:
                    raise SourceChanged("The spooled file is not the one of which the first blocks were stored")

    def _freed(self, buffer: memoryview, noted: "asyncio.Future[None]") -> None:
        self._free.put_nowait(buffer)

    async def _upload(self) -> None:
        while (ready := await self._ready.get()) is not None:
            await self._store(ready.cut, await ready.md5)
            self._free.put_nowait(ready.buffer)
            await self._reached.stored(ready.cut)

    async def _store(self, cut: Cut, md5: bytes) -> None:
        settled = await self._asking.settled(
            lambda: self._storage.put_block(cut.number, self._gate.body(cut.data), md5)
        )
        if settled.answer.meaning == "right":
            raise RightMissing
        if settled.answer.meaning != "stored":
            give_up(settled.answer, self._asking.address)
        self._around.watch.block_stored(len(cut.data), settled.tries)
        self._must_be_fast_enough(len(cut.data))

    def _must_be_fast_enough(self, size: int) -> None:
        """9.3: rather ask for more time now than be refused near the end."""
        rate = self._rate.sent(size, self._around.clock.monotonic())
        left = self._reached.expected - self._reached.done
        if rate and left / rate * _RESERVE > self._asking.left_s():
            raise PlaceExpired(
                f"At {rate * 8 / 1e6:.2f} Mbit/s the rest of the file takes longer than the permission to upload lasts",
                rate,
            )
