"""What the store owes the evidence agent, kept in dicts."""

from collections.abc import Sequence

from tocsin.model.evidence import CustodyLine, Job, JobFile
from tocsin.store.contract import Lease
from tocsin.store.evidence import CustodyBroken, JobQuery, Superseded


class MemoryEvidence:
    """tocsin.store.evidence.EvidenceStore; never fails by itself."""

    _leases: dict[str, Lease]

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._files: dict[tuple[str, int, int], JobFile] = {}
        self._custody: dict[str, list[CustodyLine]] = {}

    async def keep_job(
        self,
        job: Job,
        files: Sequence[JobFile] = (),
        custody: Sequence[CustodyLine] = (),
        lease: Lease | None = None,
    ) -> None:
        self._still_ours(lease)
        fresh: list[CustodyLine] = []
        for line in custody:
            there = [*self._custody.get(line.agent, []), *fresh]
            if line in there:
                continue
            if line.number != (there[-1].number + 1 if there else 1):
                raise CustodyBroken(f"line {line.number} of {line.agent}")
            fresh.append(line)
        for line in fresh:
            self._custody.setdefault(line.agent, []).append(line)
        self._jobs[job.id] = job
        self._files |= {(file.job_id, file.attempt, file.number): file for file in files}

    async def keep_file(self, file: JobFile, lease: Lease | None = None) -> None:
        self._still_ours(lease)
        self._files[file.job_id, file.attempt, file.number] = file

    def _still_ours(self, lease: Lease | None) -> None:
        if lease is not None and self._leases[lease.subject].epoch != lease.epoch:
            raise Superseded(lease.subject)

    async def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    async def job_known(self, agent: str, registry_id: str) -> Job | None:
        known = [job for job in self._jobs.values() if (job.agent, job.registry_id) == (agent, registry_id)]
        return max(known, key=lambda job: job.id, default=None)

    async def jobs(self, query: JobQuery) -> Sequence[Job]:
        found = [
            job
            for key, job in sorted(self._jobs.items(), reverse=True)
            if query.agent in ("", job.agent)
            and query.state in (None, job.state)
            and (not query.before or key < query.before)
        ]
        return found[: query.limit]

    async def open_jobs(self, agent: str) -> Sequence[Job]:
        return [job for _, job in sorted(self._jobs.items()) if job.agent == agent and job.open]

    async def job_files(self, job_id: str) -> Sequence[JobFile]:
        return [file for key, file in sorted(self._files.items()) if key[0] == job_id]

    async def last_custody(self, agent: str) -> CustodyLine | None:
        return self._custody[agent][-1] if self._custody.get(agent) else None

    async def custody(self, agent: str, after: int = 0, limit: int = 1000) -> Sequence[CustodyLine]:
        return [line for line in self._custody.get(agent, []) if line.number > after][:limit]
