"""The agent service: eleven operations on jobs, strict about who asks for what and when (clearance.md 5, 7.1)."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from msgspec import Struct

from tocsin.standins.clearance.keys import Integration
from tocsin.standins.clearance.ledger import GivenFile, Gone, Job, Ledger, NotYours
from tocsin.standins.clearance.paper import Paper
from tocsin.standins.clearance.shelf import Shelf
from tocsin.standins.clearance.switches import Assumptions

US = "agent"
STATES = ("Completed", "PartiallyCompleted", "Failed")
_COMPLETES = {"complete_media": "mediarequest", "complete_discovery": "discovery", "complete_thumbnail": "thumbnail"}
_REQUIRED = {"update": ("progress", "total"), "initialize_upload": ("name", "mime"), "complete": ("state",)}


class Wrong(Exception):
    """A request that is not as it must be: 400."""


class Answer(Struct, frozen=True):
    """`told` goes into the line on standard output."""

    status: int
    body: Any = None
    told: Mapping[str, Any] = {}


class AgentService:
    def __init__(
        self,
        paper: Paper,
        ledger: Ledger,
        shelf: Shelf,
        integration: Integration,
        assumptions: Assumptions,
        now: Callable[[], datetime],
    ) -> None:
        self._paper = paper
        self.ledger = ledger
        self._shelf = shelf
        self._integration = integration
        self.assumptions = assumptions
        self._now = now

    async def carry_out(self, operation: str, job_id: str, file_id: str, body: bytes) -> Answer:
        try:
            words = self._words(operation, body)
            return await self._operations()[operation](job_id, file_id, words)
        except Wrong as error:
            return Answer(400, None, {"problem": str(error)})
        except NotYours as error:
            return Answer(self.assumptions.refused, None, {"why": str(error)})
        except Gone as error:
            return Answer(self.assumptions.gone, None, {"why": str(error)})

    def _operations(self) -> Mapping[str, Callable[[str, str, dict[str, Any]], Awaitable[Answer]]]:
        completes = {name: self._completing(name) for name in _COMPLETES}
        return {
            "get_jobs": self._get_jobs, "lock": self._lock, "renew": self._renew, "update": self._update,
            "initialize_upload": self._initialize, "complete": self._complete,
            "cancel": self._cancel, "release": self._release, **completes,
        }  # fmt: skip

    def _words(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body) if body else {}
        except ValueError:
            raise Wrong("not JSON") from None
        if not isinstance(document, dict):
            raise Wrong("not a JSON object")
        words, foreign = self._paper.words(operation, document)
        if foreign:
            raise Wrong(f"unknown members {', '.join(foreign)}")
        if missing := [name for name in _REQUIRED.get(operation, ()) if words.get(name) in (None, "")]:
            raise Wrong(f"{', '.join(missing)} missing")
        if operation == "initialize_upload" and not self.assumptions.extra and set(words) - {"name", "mime"}:
            raise Wrong("members that this version does not know")
        return words

    async def _get_jobs(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        listed = [self._listed(job) for job in self.ledger.available()]
        body = listed if self.assumptions.list == "array" else {self._name("jobs"): listed}
        return Answer(200, body, {"offered": len(listed)})

    def _listed(self, job: Job) -> dict[str, Any]:
        said = {
            "job.id": job.id, "job.type": self._paper.type_name(job.type), "job.created": written(job.created),
            "media.device": job.device or None, "media.start": job.start or None, "media.end": job.end or None,
            "job.approved_by": job.approved_by or None,
        }  # fmt: skip
        wanted = {self._name(name): value for name, value in said.items() if value is not None}
        return {**nested(wanted), **self._unknown()}

    async def _lock(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self.ledger.lock(job_id, US, self.assumptions.lock_s)
        return self._granted(job, {"lock": job.locks})

    async def _renew(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        held = self._held(job_id, words)
        return self._granted(self.ledger.renew(held.id, US, self.assumptions.lock_s), {})

    def _granted(self, job: Job, told: Mapping[str, Any]) -> Answer:
        assert job.until is not None
        body: dict[str, Any] = self._unknown()
        if self.assumptions.expiry != "absent":
            body[self._name("lock.expires")] = written(job.until) if self.assumptions.expiry == "there" else None
        if self.assumptions.token:
            body[self._name("lock.token")] = job.lock_token
        return Answer(200, body, {**told, "until": written(job.until)})

    async def _update(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self._held(job_id, words)
        progress, total = words["progress"], words["total"]
        if not isinstance(progress, int) or not isinstance(total, int) or not 0 <= progress <= total or not total:
            raise Wrong("progress is not between 0 and the total")
        share = progress / total
        problem = {"problem": "progress has fallen"} if share < job.progress else {}
        job.progress = share
        return Answer(204, None, {"progress": progress, "total": total, **problem})

    async def _initialize(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self._held(job_id, words)
        known = next((one for one in job.files if one.name == words["name"] and not one.completed), None)
        if known is None or self.assumptions.again == "other":
            known = GivenFile(f"file-{uuid4().hex[:12]}", f"{job.id}/{uuid4().hex}", words["name"], words, self._now())
            job.files.append(known)
        until = self._now() + timedelta(seconds=self.assumptions.sas_s)
        body = {
            self._name("upload.file_id"): known.id,
            self._name("upload.key"): self._integration.wrapping_jwk(),
            self._name("upload.uri"): self._shelf.place(known.blob, self.assumptions.rights, until),
            **self._unknown(),
        }
        return Answer(200, body, {"file": known.id, "blob": known.blob, "said": words})

    def _completing(self, operation: str) -> Callable[[str, str, dict[str, Any]], Awaitable[Answer]]:
        async def complete(job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
            job = self._held(job_id, words)
            if job.type != _COMPLETES[operation]:
                raise Wrong(f"{operation} of a job of type {job.type}")
            file = next((one for one in job.files if one.id == file_id), None)
            if file is None or file.completed:
                raise NotYours("there is no such file, or it is complete already")
            file.check = await self._shelf.check(file.blob, self._now)
            if "problem" in file.check:
                raise NotYours(file.check["problem"])
            file.completed = True
            return Answer(204, None, {"file": file.id, "name": file.name, **file.check})

        return complete

    async def _complete(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self._held(job_id, words)
        state, done = words["state"], [file for file in job.files if file.completed]
        if state not in STATES:
            raise Wrong(f"state {state} is none of {', '.join(STATES)}")
        if (state == "Failed") is bool(done):
            raise Wrong(f"{state} with {len(done)} complete files")
        self.ledger.end(job.id, US, "ended", state, words.get("message", ""))
        return Answer(204, None, {"state": state, "message": job.message, "files": len(done)})

    async def _cancel(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self._held(job_id, words)
        self.ledger.end(job.id, US, "cancelled", "", words.get("message", ""))
        return Answer(204, None, {"message": job.message})

    async def _release(self, job_id: str, file_id: str, words: dict[str, Any]) -> Answer:
        job = self._held(job_id, words)
        self.ledger.end(job.id, US, "available", "", words.get("message", ""))
        return Answer(204, None, {"message": job.message})

    def _held(self, job_id: str, words: dict[str, Any]) -> Job:
        job = self.ledger.held(job_id, US)
        token = words.pop("lock_token", "")
        if token and token != job.lock_token:
            raise NotYours("the lock's token is another")
        return job

    def _name(self, field: str) -> str:
        return self._paper.name(field, self.assumptions)

    def _unknown(self) -> dict[str, Any]:
        return {"x-standin": {"unheardOf": None}, "schemaVersion": 7} if self.assumptions.unknown else {}


def written(at: datetime) -> str:
    """Seven digits of a second, as the registry writes (3.2)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def nested(members: Mapping[str, Any]) -> dict[str, Any]:
    """A dot in a name leads into an object."""
    found: dict[str, Any] = {}
    for name, value in members.items():
        *above, last = name.split(".")
        place = found
        for step in above:
            place = place.setdefault(step, {})
        place[last] = value
    return found
