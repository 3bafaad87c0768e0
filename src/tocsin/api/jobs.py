"""Evidence agents and their jobs (interface.md 4)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Query
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import demand_everywhere
from tocsin.api.problems import not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer
from tocsin.api.schema import described
from tocsin.engine.evidence import Agent, AgentStatus
from tocsin.model.evidence import Job, JobFile, JobState
from tocsin.store.contract import AuditEntry
from tocsin.store.evidence import JobQuery

router = APIRouter(tags=["evidence"])
PageSize = Annotated[int, Query(ge=1, le=500)]
Word = Annotated[str, Query(max_length=200)]
JobCursor = Annotated[
    str, Query(pattern=r"^[0-9A-HJKMNP-TV-Z]{0,26}$", description="`next_cursor` of the page before.")
]
StateWord = Annotated[str, Query(pattern=rf"^({'|'.join(get_args(JobState))})?$")]


class AgentList(Struct, frozen=True):
    items: Sequence[AgentStatus]


class JobView(Struct, frozen=True):
    """A job of a registry, in its last attempt. `progress`: 0 to 1000."""

    id: str
    agent: str
    registry_id: str
    type: str
    state: str
    device: str
    start: datetime | None
    end: datetime | None
    created_at: datetime | None
    seen_at: datetime
    updated_at: datetime
    approved_by: str
    attempt: int
    failures: int
    locked_until: datetime | None
    hold_off_until: datetime | None
    progress: int
    outcome: str | None
    reason: str
    devices: int


class JobPage(Struct, frozen=True):
    """Newest first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[JobView]
    next_cursor: str | None


class FileView(Struct, frozen=True):
    """One result of a job. `origin`: where it came from, in words. `blocks`: how many are stored without a gap."""

    attempt: int
    number: int
    name: str
    mime: str
    state: str
    start: datetime | None
    end: datetime | None
    size: int
    sha256: str
    cipher_size: int
    cipher_sha256: str
    file_id: str
    blocks: int
    origin: str


class JobDetail(JobView, frozen=True, kw_only=True):
    """`received`: the job as the registry wrote it."""

    files: Sequence[FileView]
    received: msgspec.Raw


TYPES: tuple[type, ...] = (AgentStatus, AgentList, JobView, JobPage, FileView, JobDetail)


@router.get("/jobs", **described("Evidence jobs, newest first", JobPage))
async def list_jobs(
    room: TheRoom, rights: Reader, agent: Word = "", state: StateWord = "", limit: PageSize = 50, cursor: JobCursor = ""
) -> Response:
    demand_everywhere(rights, "a job")
    wanted = JobQuery(agent, msgspec.convert(state, JobState) if state else None, cursor, limit)
    jobs = await room.gateway.store.jobs(wanted)
    shown = [_view(room.gateway.agents.now_locked(job)) for job in jobs]
    return answer(JobPage(shown, jobs[-1].id if len(jobs) == limit else None))


@router.get("/jobs/{job_id}", **described("One job with its files", JobDetail))
async def one_job(job_id: str, room: TheRoom, rights: Reader) -> Response:
    demand_everywhere(rights, "a job")
    job = await room.gateway.store.job(job_id)
    if job is None:
        raise not_found("such job")
    files = [_file_view(file) for file in await room.gateway.store.job_files(job.id)]
    return answer(JobDetail(**_facts(room.gateway.agents.now_locked(job)), files=files, received=job.received))


@router.get("/evidence", **described("Evidence agents and how it stands with their registries", AgentList))
async def list_agents(room: TheRoom, rights: Reader) -> Response:
    demand_everywhere(rights, "an evidence agent")
    return answer(AgentList(await room.gateway.agents.statuses()))


@router.post("/evidence/{agent}/pause", **described("Take no more jobs; those under way go on", AgentStatus))
async def pause(agent: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "an evidence agent")
    return answer(await paused(room, agent, rights.name))


@router.post("/evidence/{agent}/resume", **described("Take jobs again", AgentStatus))
async def resume(agent: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "an evidence agent")
    return answer(await resumed(room, agent, rights.name))


@router.post("/evidence/{agent}/accept", **described("The next discovery may list far fewer devices", AgentStatus))
async def accept(agent: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "an evidence agent")
    _agent(room, agent).accept_shrink()
    return answer(await _told(room, rights.name, "accept fewer devices", agent))


async def paused(room: Room, name: str, who: str) -> AgentStatus:
    """Raises Problem."""
    _agent(room, name).pause()
    return await _told(room, who, "pause", name)


async def resumed(room: Room, name: str, who: str) -> AgentStatus:
    """Raises Problem."""
    _agent(room, name).resume()
    return await _told(room, who, "resume", name)


def _agent(room: Room, name: str) -> Agent:
    try:
        return room.gateway.agents.named(name)
    except KeyError:
        raise not_found("such evidence agent") from None


async def _told(room: Room, who: str, action: str, name: str) -> AgentStatus:
    await room.gateway.store.audit(AuditEntry(room.now(), who, action, name))
    return await room.gateway.agents.status(name)


def _view(job: Job) -> JobView:
    return JobView(**_facts(job))


def _facts(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobView.__struct_fields__}


def _file_view(file: JobFile) -> FileView:
    upload = file.upload
    shown = {name: getattr(file, name) for name in FileView.__struct_fields__ if hasattr(file, name)}
    return FileView(**shown, file_id=upload.file_id if upload else "", blocks=upload.next if upload else 0)
