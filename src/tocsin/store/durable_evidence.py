"""The evidence agent's part of the store, on any engine."""

from collections.abc import Sequence

from tocsin.model.evidence import CustodyLine, Job, JobFile
from tocsin.store.engines import Engine
from tocsin.store.evidence import JobQuery
from tocsin.store.lease import Lease
from tocsin.store.plans import evidencing
from tocsin.store.steps import Operation


class DurableEvidence:
    """Keeps evidence.EvidenceStore."""

    _engine: Engine

    async def keep_job(
        self,
        job: Job,
        files: Sequence[JobFile] = (),
        custody: Sequence[CustodyLine] = (),
        lease: Lease | None = None,
    ) -> None:
        keeping = evidencing.Keeping(job, files, custody, lease)
        weight = 1 + len(files) + len(custody)
        await self._engine.write(Operation(evidencing.keep, keeping, weight))

    async def keep_file(self, file: JobFile, lease: Lease | None = None) -> None:
        await self._engine.write(Operation(evidencing.keep_file, evidencing.KeepingFile(file, lease)))

    async def job(self, job_id: str) -> Job | None:
        return await self._engine.read(evidencing.job(job_id))

    async def job_known(self, agent: str, registry_id: str) -> Job | None:
        return await self._engine.read(evidencing.job_known(agent, registry_id))

    async def jobs(self, query: JobQuery) -> Sequence[Job]:
        return await self._engine.read(evidencing.jobs(query))

    async def open_jobs(self, agent: str) -> Sequence[Job]:
        return await self._engine.read(evidencing.open_jobs(agent))

    async def job_files(self, job_id: str) -> Sequence[JobFile]:
        return await self._engine.read(evidencing.job_files(job_id))

    async def last_custody(self, agent: str) -> CustodyLine | None:
        return await self._engine.read(evidencing.last_custody(agent))

    async def custody(self, agent: str, after: int = 0, limit: int = 1000) -> Sequence[CustodyLine]:
        return await self._engine.read(evidencing.custody(agent, after, limit))
