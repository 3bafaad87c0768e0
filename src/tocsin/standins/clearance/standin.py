"""The stand-in put together: it listens, and does on command what happens at a real registry."""

import asyncio
import json
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from aiohttp import web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.clearance.door import Door
from tocsin.standins.clearance.keys import Integration
from tocsin.standins.clearance.ledger import Ledger
from tocsin.standins.clearance.paper import Paper
from tocsin.standins.clearance.service import AgentService, Answer
from tocsin.standins.clearance.shelf import Shelf
from tocsin.standins.clearance.switches import Assumptions, Fault, read_fault
from tocsin.standins.serving import until_cancelled
from tocsin.standins.web_service import Out, WebListener

CONTROL = "/standin/"
STS = "/sts/connect"
API = "/api"
_LIMIT = 4 * 1024 * 1024


class Storage(Struct, frozen=True):
    """`root`: address of the account; `key`: its key."""

    root: str
    key: bytes
    container: str = "evidence"


class ClearanceStandin:
    """Listens on `host:port` (port 0: any free one). Commands: `POST /standin/ORDER`, see `happens`."""

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        storage: Storage,
        profile: str,
        integration: Integration | None = None,
        assumptions: Assumptions = Assumptions(),  # noqa: B008  (frozen)
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`profile` is the document's text."""
        self._out = out
        self._clock = clock
        self.integration = integration or Integration("standin-tenant", "standin-principal")
        self._assumptions = assumptions
        paper = Paper(profile, self.integration.tenant, self.integration.principal, API)
        self._paper = paper
        self.ledger = Ledger(self.now, lambda what: f"{what}-{uuid4().hex[:8]}")
        shelf = Shelf(storage.root, storage.key, storage.container, self.integration)
        self.service = AgentService(paper, self.ledger, shelf, self.integration, assumptions, self.now)
        self.door = Door(self.integration, self.now, assumptions.token_s)
        self.faults: list[Fault] = []
        self.calls: list[tuple[float, str]] = []
        """When each call of the agent service came, monotonic, and what it was."""
        self._stopping = asyncio.Event()
        self._listener = WebListener(listen, self._handle, tls, _LIMIT)
        self._listener.prepared.append(self._dated)

    def now(self) -> datetime:
        """The registry's clock."""
        return self._clock.now() + timedelta(seconds=self._assumptions.ahead_s)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        port = await self._listener.start()
        self.door.address = f"{self.root}{STS}"
        return port

    @property
    def root(self) -> str:
        return self._listener.root

    def connection_file(self) -> dict[str, Any]:
        return self.integration.connection_file([f"{self.root}{STS}"], [f"{self.root}{API}"])

    async def aclose(self) -> None:
        self._stopping.set()
        await self._listener.aclose()

    async def serve(self, started: Callable[[int], None] | None = None) -> None:
        """Run until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
        await until_cancelled(self.start, self.aclose, started)

    async def happens(self, order: str, given: dict[str, Any]) -> bool:
        """`job` with type, device, start, end, id, approved_by; `withdraw`, `expire` with id; `revoke`: all tokens;
        `fault` with fault, as on the command line. False: there is no such order, or nothing to do it to.
        """
        if order == "job":
            named = {name: str(value) for name, value in given.items() if name != "type"}
            self.ledger.post(str(given.get("type", "mediarequest")), **named)
        elif order == "withdraw":
            return self.ledger.withdraw(str(given.get("id")))
        elif order == "expire":
            return self.ledger.expire(str(given.get("id")))
        elif order == "revoke":
            self.door.revoke()
        elif order == "fault":
            self.faults.append(read_fault(str(given.get("fault", ""))))
        else:
            return False
        return True

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path.startswith(CONTROL):
            return await self._commanded(request, body)
        if request.path == f"{STS}/token" and request.method == "POST":
            response, why = self.door.token(request.content_type, body)
            self._out({"request": "token", "status": response.status, **({"why": why} if why else {})})
            return response
        if request.path == f"{STS}/.well-known/openid-configuration":
            return self.door.configuration()
        return await self._agent_service(request, body)

    async def _commanded(self, request: web.Request, body: bytes) -> web.Response:
        order = request.path.removeprefix(CONTROL)
        if request.method == "GET" and order == "jobs":
            return web.json_response([_shown(job) for job in self.ledger.jobs.values()], dumps=_dumps)
        try:
            done = request.method == "POST" and await self.happens(order, json.loads(body) if body else {})
        except (ValueError, TypeError, AttributeError) as error:
            return web.Response(status=400, text=str(error))
        self._out({"order": order, "done": done})
        return web.Response(status=204 if done else 404)

    async def _agent_service(self, request: web.Request, body: bytes) -> web.StreamResponse:
        operation, job, file, verb_fits = self._paper.operation(request.method, request.raw_path.partition("?")[0])
        told: dict[str, Any] = {"request": operation or f"{request.method} {request.path}", "job": job}
        self.calls.append((self._clock.monotonic(), operation))
        problem = self._unwelcome(request, operation, verb_fits, body)
        if problem:
            self._out({**told, "status": problem.status, **problem.told})
            return web.Response(status=problem.status)
        fault = next((one for one in self.faults if one.strikes(operation)), None)
        early = await self._struck(fault, job) if fault else None
        answer = early or await self.service.carry_out(operation, job, file, body)
        lost = fault is not None and fault.how in ("silent", "close", "lost", "hang")
        self._out(
            {**told, "status": 0 if lost else answer.status, **answer.told, **({"fault": fault.how} if fault else {})}
        )
        if lost:
            await self._lose(request, fault.how if fault else "")
        return self._written(answer, fault)

    def _unwelcome(self, request: web.Request, operation: str, verb_fits: bool, body: bytes) -> Answer | None:
        if not self.door.admits(request.headers.get("Authorization", "")):
            return Answer(401, None, {"why": "no good token"})
        if not operation:
            return Answer(404, None, {"problem": "no such path"})
        if not verb_fits:
            return Answer(405, None, {"problem": "another verb"})
        if body and request.content_type != "application/json":
            return Answer(415, None, {"problem": "not application/json"})
        return None

    async def _struck(self, fault: Fault, job: str) -> Answer | None:
        """What comes instead of what is due; None: that is carried out all the same."""
        how, _, number = fault.how.partition(":")
        if how == "late":
            await asyncio.sleep(float(number))
        if how == "withdraw":
            self.ledger.withdraw(job)
        if how == "steal":
            self.ledger.lock(job, "another agent", 3600.0)
        if how in ("silent", "close"):
            return Answer(0)
        return Answer(int(how)) if how.isdecimal() else None

    async def _lose(self, request: web.Request, how: str) -> None:
        if how in ("silent", "hang"):
            await self._stopping.wait()
        if request.transport is not None:
            request.transport.close()

    def _written(self, answer: Answer, fault: Fault | None) -> web.Response:
        if fault is not None and fault.how == "page":
            return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
        how, _, number = (fault.how if fault else "").partition(":")
        headers = {"Retry-After": number} if number and how != "late" else {}
        if answer.body is None:
            return web.Response(status=answer.status or 500, headers=headers)
        return web.json_response(answer.body, status=answer.status, headers=headers)

    async def _dated(self, request: web.Request, response: web.StreamResponse) -> None:
        """The library would say its own time."""
        response.headers["Date"] = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT") if self._assumptions.date else ""


def _shown(job: Any) -> dict[str, Any]:
    return {name: getattr(job, name) for name in ("id", "type", "state", "outcome", "message", "progress", "locks")}


def _dumps(value: Any) -> str:
    return json.dumps(value, default=str)
