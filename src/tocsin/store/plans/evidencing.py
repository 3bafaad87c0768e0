"""Jobs of evidence registries, their files, and the custody logs of their agents."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from tocsin.model.evidence import CustodyLine, Job, JobFile
from tocsin.store.evidence import CustodyBroken, JobQuery, Superseded
from tocsin.store.lease import Lease
from tocsin.store.rows import instant, microseconds, plain
from tocsin.store.steps import Query, Row, Steps, each

_encode = msgspec.json.Encoder().encode
_decode_job = msgspec.json.Decoder(Job).decode
_decode_file = msgspec.json.Decoder(JobFile).decode


class Keeping(Struct, frozen=True):
    """What is written in one transaction, if the lease is still good."""

    job: Job
    files: Sequence[JobFile]
    custody: Sequence[CustodyLine]
    lease: Lease | None


class KeepingFile(Struct, frozen=True):
    file: JobFile
    lease: Lease | None


def _keep(keeping: Keeping) -> Steps[None]:
    yield from _still_ours(keeping.lease)
    for agent in sorted({plain(line.agent) for line in keeping.custody}):
        yield Query("lock_custody", (agent,))
    for line in keeping.custody:
        yield from _add_line(line)
    yield Query("put_job", _job_row(keeping.job))
    for file in keeping.files:
        yield Query("put_job_file", _file_row(file))


def _keep_file(keeping: KeepingFile) -> Steps[None]:
    yield from _still_ours(keeping.lease)
    yield Query("put_job_file", _file_row(keeping.file))


def _still_ours(lease: Lease | None) -> Steps[None]:
    if lease is not None:
        rows = yield Query("lease_epoch", (lease.subject,))
        if not rows or rows[0][0] != lease.epoch:
            raise Superseded(f"{lease.subject} has gone to another node")


def _add_line(line: CustodyLine) -> Steps[None]:
    """A line that is there already was written by a commit whose answer was lost."""
    agent = plain(line.agent)
    rows = yield Query("last_custody", (agent,))
    last = rows[0][1] if rows else 0
    if line.number <= last and (yield Query("custody_line", (agent, line.number))) == [(line.sha256,)]:
        return
    if line.number != last + 1:
        raise CustodyBroken(f"line {line.number} of {line.agent} was to be written, and the last one there is {last}")
    yield Query("add_custody", (agent, line.number, microseconds(line.at), plain(line.text), line.sha256))


def _job_row(job: Job) -> Row:
    identity = (job.id, plain(job.agent), plain(job.registry_id), job.state, microseconds(job.updated_at))
    return (*identity, _text(job))


def _file_row(file: JobFile) -> Row:
    return (file.job_id, file.attempt, file.number, _text(file))


def _text(value: object) -> str:
    return plain(_encode(value).decode())


def job(job_id: str) -> Steps[Job | None]:
    rows = yield Query("job", (plain(job_id),))
    return _decode_job(rows[0][0]) if rows else None


def job_known(agent: str, registry_id: str) -> Steps[Job | None]:
    rows = yield Query("job_known", (plain(agent), plain(registry_id)))
    return _decode_job(rows[0][0]) if rows else None


def jobs(query: JobQuery) -> Steps[list[Job]]:
    wanted = [("agent = ?", plain(query.agent)), ("state = ?", query.state or ""), ("id < ?", plain(query.before))]
    given = [(condition, value) for condition, value in wanted if value]
    conditions = tuple(condition for condition, _ in given) or ("1 = 1",)
    rows = yield Query("jobs", (*(value for _, value in given), query.limit), conditions)
    return [_decode_job(body) for (body,) in rows]


def open_jobs(agent: str) -> Steps[list[Job]]:
    return [_decode_job(body) for (body,) in (yield Query("open_jobs", (plain(agent),)))]


def job_files(job_id: str) -> Steps[list[JobFile]]:
    return [_decode_file(body) for (body,) in (yield Query("job_files", (plain(job_id),)))]


def last_custody(agent: str) -> Steps[CustodyLine | None]:
    rows = yield Query("last_custody", (plain(agent),))
    return _line_of(rows[0]) if rows else None


def custody(agent: str, after: int, limit: int) -> Steps[list[CustodyLine]]:
    return [_line_of(row) for row in (yield Query("custody", (plain(agent), after, limit)))]


def _line_of(row: Row) -> CustodyLine:
    agent, number, at, text, sha256 = row
    return CustodyLine(agent, number, instant(at), text, sha256)


def prune_jobs(before: datetime, limit: int) -> Steps[int]:
    gone = yield Query("drop_jobs", (microseconds(before), limit))
    if gone:
        yield Query("drop_job_files", ([job_id for (job_id,) in gone],))
    return len(gone)


def prune_custody(before: datetime | None, limit: int) -> Steps[int]:
    return len((yield Query("drop_custody", (microseconds(before), limit)))) if before else 0


keep = each(_keep)
keep_file = each(_keep_file)
