"""The pages of evidence agents and their jobs."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from tocsin.api.access import demand_everywhere
from tocsin.api.events import Word
from tocsin.api.jobs import JobCursor, paused, resumed
from tocsin.api.problems import not_found
from tocsin.api.room import Room, TheRoom
from tocsin.console.job_custody import custody_of
from tocsin.console.job_views import (
    CHOICES,
    JobLine,
    agent_card,
    attempts,
    custody_view,
    job_line,
    received_text,
)
from tocsin.console.looks import page
from tocsin.console.pages import summary_of
from tocsin.console.present import Summary
from tocsin.console.visitor import AnOperator, AVisitor, Visitor
from tocsin.model.evidence import Job
from tocsin.store.evidence import JobQuery

router = APIRouter(include_in_schema=False)
SHOWN = 50
READ = 250
MOST_READ = 1000
Chosen = Annotated[str, Query(pattern=rf"^({'|'.join(CHOICES)})$")]
Act = Literal["pause", "resume"]


class Page(Struct, frozen=True):
    """Jobs, newest first; `here` led to them, `cursor` leads to older ones, empty at the end. `state` and `agent`: what
    was chosen.
    """

    lines: list[JobLine]
    here: str
    cursor: str
    state: str
    agent: str


@router.get("/evidence")
async def evidence(
    request: Request, room: TheRoom, visitor: AVisitor, state: Chosen = "", agent: Word = "", cursor: JobCursor = ""
) -> Response:
    demand_everywhere(visitor.rights, "a job")
    return page(
        request,
        visitor,
        "evidence.html",
        cards=[agent_card(status) for status in await room.gateway.agents.statuses()],
        found=await _found(room, state, agent, cursor),
        choices=CHOICES,
        summary=await _summary(room, visitor),
    )


async def _found(room: Room, state: str, agent: str, cursor: str) -> Page:
    """A page of what was chosen, of the newest thousand; older ones are a page further."""
    choice, lines, read, here = CHOICES[state], list[JobLine](), 0, cursor
    while read < MOST_READ:
        jobs = await room.gateway.store.jobs(JobQuery(agent, choice.state, cursor, READ))
        read += len(jobs)
        for job in jobs:
            cursor = job.id
            if choice.fits(job):
                lines.append(_line(room, job))
            if len(lines) == SHOWN:
                return Page(lines, here, cursor, state, agent)
        if len(jobs) < READ:
            return Page(lines, here, "", state, agent)
    return Page(lines, here, cursor, state, agent)


def _line(room: Room, job: Job) -> JobLine:
    device = room.gateway.devices.get(job.device)
    return job_line(room.gateway.agents.now_locked(job), device.name if device is not None else "")


@router.get("/evidence/jobs/{job_id}")
async def one_job(job_id: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    demand_everywhere(visitor.rights, "a job")
    store = room.gateway.store
    job = await store.job(job_id)
    if job is None:
        raise not_found("such job")
    return page(
        request,
        visitor,
        "job.html",
        line=_line(room, job),
        attempts=attempts(await store.job_files(job.id)),
        custody=[custody_view(line) for line in await custody_of(store, job)],
        received=received_text(bytes(job.received)),
        summary=await _summary(room, visitor),
    )


@router.post("/evidence/{agent}/{act}")
async def on_agent(agent: str, act: Act, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    demand_everywhere(visitor.rights, "an evidence agent")
    status = await (paused if act == "pause" else resumed)(room, agent, visitor.rights.name)
    if "hx-request" not in request.headers:
        return RedirectResponse("/evidence", 303)
    fragment = page(request, visitor, "agent_card.html", card=agent_card(status))
    goes_on = f"{agent} takes jobs again."
    said = goes_on if act == "resume" else f"{agent} takes no more jobs; those under way go on."
    fragment.headers["hx-trigger"] = json.dumps({"said": said})
    return fragment


async def _summary(room: Room, visitor: Visitor) -> Summary:
    return await summary_of(room, visitor.rights, await room.gateway.destinations())
