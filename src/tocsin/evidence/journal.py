"""What an agent writes down before it goes on: a job, its files and the custody log, in one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

import msgspec

from tocsin.engine.contracts import Clock
from tocsin.model.evidence import CustodyLine, Job, JobFile
from tocsin.store.contract import Lease, Store, StoreUnavailable
from tocsin.store.evidence import JobQuery, Superseded

AGAIN_S = 1.0
T = TypeVar("T")
Facts = Mapping[str, object]


class AgentJournal:
    """One agent's. While the store cannot write, everybody waits here: nothing goes on that is not on disk.

    `lease` gives the one under which this node works. Raises Superseded when another node has it. `changed` is told of
    each job that was written; `always` gives what every line of the custody log says besides.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        agent: str,
        lease: Callable[[], Lease | None],
        changed: Callable[[Job], None] = lambda _: None,
        always: Callable[[], Facts] = dict,
    ) -> None:
        self._store = store
        self._always = always
        self._changed = changed
        self.agent = agent
        self._clock = clock
        self._lease = lease
        self._last: CustodyLine | None = None
        self._known = False
        self._order = asyncio.Lock()

    async def forget(self) -> None:
        """Another node may have written the log since."""
        async with self._order:
            self._known = False

    async def keep(self, job: Job, files: Sequence[JobFile] = (), told: Sequence[Facts] = ()) -> None:
        """`told`: what the custody log says of it, a line each."""
        async with self._order:
            lines = await self._lines(told) if told else []
            await self._sure(lambda lease: self._store.keep_job(job, files, lines, lease))
            self._last = lines[-1] if lines else self._last
        self._changed(job)

    async def keep_file(self, file: JobFile) -> None:
        await self._sure(lambda lease: self._store.keep_file(file, lease))

    async def known(self, registry_id: str) -> Job | None:
        """The job the registry calls so."""
        return await _asked(lambda: self._store.job_known(self.agent, registry_id))

    async def files(self, job_id: str) -> Sequence[JobFile]:
        """Of all attempts."""
        return await _asked(lambda: self._store.job_files(job_id))

    async def open_jobs(self) -> list[Job]:
        return list(await _asked(lambda: self._store.open_jobs(self.agent)))

    async def recent(self, limit: int) -> Sequence[Job]:
        """Newest first."""
        return await _asked(lambda: self._store.jobs(JobQuery(self.agent, limit=limit)))

    async def _lines(self, told: Sequence[Facts]) -> list[CustodyLine]:
        if not self._known:
            self._last = await _asked(lambda: self._store.last_custody(self.agent))
            self._known = True
        lines: list[CustodyLine] = []
        for facts in told:
            before = lines[-1] if lines else self._last
            lines.append(next_line(before, self.agent, self._clock.now(), {**self._always(), **facts}))
        return lines

    async def _sure(self, write: Callable[[Lease], Awaitable[None]]) -> None:
        """A commit whose answer was lost is asked for again: the same rows make no difference."""
        while True:
            lease = self._lease()
            if lease is None:
                raise Superseded(f"this node no longer works for {self.agent}")
            try:
                await write(lease)
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)


async def _asked(read: Callable[[], Awaitable[T]]) -> T:
    """Waits until the store can be read."""
    while True:
        try:
            return await read()
        except StoreUnavailable:
            await asyncio.sleep(AGAIN_S)


def next_line(before: CustodyLine | None, agent: str, at: datetime, facts: Facts) -> CustodyLine:
    """One more line of the log: it carries the digest of the line before."""
    number = before.number + 1 if before else 1
    previous = before.sha256 if before else "0" * 64
    document = {"agent": agent, "number": number, "at": at, "previous": previous, **facts}
    text = msgspec.json.encode(document, order="sorted").decode()
    return CustodyLine(agent, number, at, text, sha256(text.encode()).hexdigest())
