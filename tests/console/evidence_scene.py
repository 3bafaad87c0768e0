"""An agent that is as a test says, and jobs as an agent writes them down."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw
from msgspec.structs import replace
from serving import Served

from tocsin.engine.evidence import AgentStatus
from tocsin.engine.tasks import ComponentState
from tocsin.evidence.journal import next_line
from tocsin.model.evidence import CustodyLine, Job, JobFile, SourceIdentity, Upload
from tocsin.store.evidence import JobQuery

AT = datetime(2026, 3, 4, 8, 0, 0, tzinfo=UTC)
URI = "https://store.example.net/evidence/clip?sig=s3cr3t"
RECEIVED = (
    b'{"id":"reg-7","type":"mediarequest","note":"<b>urgent</b>","lockToken":"s3cr3t",'
    b'"uploadUri":"https://store.example.net/evidence/clip?sv=1&sig=s3cr3t"}'
)


class ScriptedAgent:
    """Implements engine.evidence.Agent; `now` is what it says of itself."""

    def __init__(self, name: str = "city", **facts: Any) -> None:
        self.name = name
        self.now = AgentStatus(name, "clearance", "asking", last_answer=AT, place="registry.example.net")
        self.now = replace(self.now, **facts)
        self.until: dict[str, datetime] = {}
        self.paused = False

    def works(self) -> Sequence[tuple[str, str, Callable[[], Awaitable[None]]]]:
        return [(f"evidence {self.name}", "evidence", _nothing)]

    def state(self) -> ComponentState:
        return ComponentState(self.name, "evidence", True, "")

    async def status(self) -> AgentStatus:
        return self.now

    def locks(self) -> Mapping[str, datetime]:
        return self.until

    def pause(self) -> None:
        self.paused = True
        self.now = replace(self.now, state="paused")

    def resume(self) -> None:
        self.paused = False
        self.now = replace(self.now, state="asking")

    def accept_shrink(self) -> None: ...

    async def stop(self, for_good: bool) -> None: ...

    async def aclose(self) -> None: ...


async def _nothing() -> None: ...


def job(number: int, **facts: Any) -> Job:
    """A media request that was delivered, unless told otherwise."""
    seen_at = facts.pop("seen_at", AT + timedelta(minutes=number))
    given: dict[str, Any] = {
        "type": "mediarequest", "state": "ended", "device": "d1", "start": AT, "end": AT + timedelta(seconds=90),
        "outcome": "Completed", "progress": 1000, "received": Raw(RECEIVED), "approved_by": "Officer Tamm",
    }  # fmt: skip
    given |= facts
    return Job(
        f"01J{number:023d}", given.pop("agent", "city"), f"reg-{number}", seen_at=seen_at, updated_at=seen_at, **given
    )


def clip(of: Job, number: int = 1, **facts: Any) -> JobFile:
    given: dict[str, Any] = {
        "state": "done", "size": 49_367, "sha256": "ab" * 32, "cipher_size": 49_376, "cipher_sha256": "cd" * 32,
        "start": AT + timedelta(seconds=2), "end": AT + timedelta(seconds=90), "upload": upload(),
    }  # fmt: skip
    return JobFile(of.id, of.attempt, number, f"Gate_camera_{number}.mp4", "video/mp4", **(given | facts))


def upload() -> Upload:
    source = SourceIdentity(49_367, 0, 7)
    return Upload("file-1", URI, "key-1", b"s3cr3t", b"s3cr3t", b"\1" * 16, b"\2" * 16, 4_194_304, source, AT, next=3)


async def kept(gw: Served, one: Job, files: Sequence[JobFile] = (), told: Sequence[str] = ()) -> Job:
    """Written down, with a custody line for each event told, as an agent does it."""
    last, lines = await gw.gateway.store.last_custody(one.agent), list[CustodyLine]()
    for event in told:
        facts: dict[str, object] = {"event": event, "job": one.registry_id, "attempt": one.attempt, "type": one.type}
        if event == "file delivered":
            span = [AT + timedelta(seconds=2), AT + timedelta(seconds=90)]
            facts |= {"file": "Gate_camera_1.mp4", "sha256": "ab" * 32, "size": 49_367, "delivered": span}
        last = next_line(last, one.agent, one.updated_at, facts)
        lines.append(last)
    await gw.gateway.store.keep_job(one, files, lines)
    gw.gateway.agents.changed(one)
    return one


async def many(gw: Served, count: int) -> None:
    """Delivered pictures, oldest first."""
    for number in range(1, count + 1):
        await kept(gw, job(number, type="thumbnail", start=None, end=None), told=["locked", "file delivered", "ended"])
    assert len(await gw.gateway.store.jobs(JobQuery(limit=count + 1))) == count
