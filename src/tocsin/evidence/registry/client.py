"""The eleven operations of the agent service (clearance.md 5): answers by their class, the token, the pace."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.evidence.contracts import Place
from tocsin.evidence.registry.connection import Connection
from tocsin.evidence.registry.faults import Garbled, Misconfigured, NotMine, NotUnderstood, TryAgain
from tocsin.evidence.registry.pace import Pace
from tocsin.evidence.registry.places import Places
from tocsin.evidence.registry.profile import Operation, Profile, filled
from tocsin.evidence.registry.tokens import Tokens, date_of, read_date
from tocsin.evidence.registry.wire import (
    NotJson,
    Offered,
    Unreadable,
    read_jobs,
    read_lock,
    read_place,
    written_body,
    written_path,
)
from tocsin.model.evidence import EndState, JobType
from tocsin.protocols.text import one_line
from tocsin.store.evidence import Superseded
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer

T = TypeVar("T")
LONGEST_HOLD_S = 3600.0
_JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))
_COMPLETES: Mapping[JobType, Operation] = {
    "mediarequest": "complete_media",
    "discovery": "complete_discovery",
    "thumbnail": "complete_thumbnail",
}


class Ours(Struct, frozen=True):
    """A job as the registry must be told of it."""

    registry_id: str
    lock_token: str = ""


class Granted(Struct, frozen=True):
    """A lock. `sent_at` is monotonic; `granted_s` by the server's own clock: None when the answer does not say."""

    sent_at: float
    granted_s: float | None
    token: str


class ClientParts(NamedTuple):
    """`owned`: whether this node works for the agent, asked right before each request."""

    connection: Connection
    profile: Profile
    places: Places
    tokens: Tokens
    pace: Pace
    clock: Clock
    owned: Callable[[], bool] = lambda: True


class RegistryClient:
    """Every call raises NotMine, TryAgain, Misconfigured or NotUnderstood (faults.py), or Superseded: a node that was
    frozen must not go on with what another one does now.
    """

    def __init__(self, parts: ClientParts) -> None:
        self._parts = parts
        self._minimal: set[Operation] = set()

    @property
    def place(self) -> str:
        """The address in use, for people."""
        return self._parts.places.place

    async def jobs(self) -> Sequence[Offered]:
        """Of a list nothing can be another's: what says so of a job says here that the profile does not fit."""
        try:
            answer = await self._call("get_jobs", Ours(""))
        except NotMine as error:
            raise NotUnderstood(f"{error}; the wire profile may not fit, or the integration may have gone") from None
        return self._read(read_jobs, answer)

    async def lock(self, ours: Ours, sent_at: float) -> Granted:
        """`sent_at`: monotonic, now."""
        return self._granted(await self._call("lock", ours), sent_at)

    async def renew(self, ours: Ours, sent_at: float) -> Granted:
        return self._granted(await self._call("renew", ours, urgent=True), sent_at)

    async def update(self, ours: Ours, progress: int) -> None:
        """`progress`: 0 to 1000."""
        total = self._parts.profile.task_total
        await self._call("update", ours, {"progress": progress * total // 1000, "total": total})

    async def initialize_upload(self, ours: Ours, words: Mapping[str, object]) -> Place:
        """`words`: name, mime, start, end, device."""
        answer = await self._call("initialize_upload", ours, words)
        return self._read(read_place, answer)

    async def complete_file(self, type_: JobType, ours: Ours, file_id: str, words: Mapping[str, object]) -> None:
        await self._call(_COMPLETES[type_], ours, {**words, "file_id": file_id}, file_id)

    async def complete(self, ours: Ours, state: EndState, message: str) -> None:
        await self._call("complete", ours, {"state": state, "message": message})

    async def cancel(self, ours: Ours, message: str) -> None:
        await self._call("cancel", ours, {"message": message})

    async def release(self, ours: Ours, message: str) -> None:
        await self._call("release", ours, {"message": message})

    async def _call(
        self,
        operation: Operation,
        ours: Ours,
        words: Mapping[str, object] | None = None,
        file: str = "",
        urgent: bool = False,
    ) -> HttpAnswer:
        """A body that is refused as faulty is sent once more with its least members (20)."""
        call = self._parts.profile.ops[operation]
        said = {**(words or {}), "lock_token": ours.lock_token}
        answer = await self._tried(operation, ours, said, file, urgent)
        if answer.status in self._parts.profile.status.bug and call.minimal and operation not in self._minimal:
            self._minimal.add(operation)
            answer = await self._tried(operation, ours, said, file, urgent)
        return self._classed(operation, answer)

    async def _tried(
        self, operation: Operation, ours: Ours, words: Mapping[str, object], file: str, urgent: bool
    ) -> HttpAnswer:
        """A token that is not accepted is replaced, and the call repeated once (4)."""
        for _ in range(2):
            await self._parts.pace.turn(urgent)
            token = await self._parts.tokens.token()
            answer = await self._send(operation, ours, words, file, token)
            if answer.status not in self._parts.profile.status.auth:
                return answer
            self._parts.tokens.drop(token)
        raise Misconfigured(
            f"the registry at {self.place} refuses a fresh token with {answer.status}: the integration may have been "
            "deleted or lost its rights"
        )

    async def _send(
        self, operation: Operation, ours: Ours, words: Mapping[str, object], file: str, token: str
    ) -> HttpAnswer:
        parts = self._parts
        connection, call = parts.connection, parts.profile.ops[operation]
        path = written_path(parts.profile, call, connection.tenant, connection.principal, ours.registry_id, file)
        body = written_body(call, words, operation in self._minimal)
        known = {
            "APIKey": connection.api_key.reveal(),
            "tenant": connection.tenant,
            "ServicePrincipalId": connection.principal,
        }
        extra = tuple((name, filled(value, known)) for name, value in parts.profile.extra_headers.items())
        headers = (("Authorization", f"Bearer {token}"), *_JSON, *extra)
        if not parts.owned():
            raise Superseded(f"{operation} was not sent: this node no longer works for the agent")
        try:
            return await parts.places.ask(call.method, path, headers, lambda _: body)
        except TransportError as error:
            raise TryAgain(str(error)) from None

    def _classed(self, operation: Operation, answer: HttpAnswer) -> HttpAnswer:
        status, known = answer.status, self._parts.profile.status
        self._heed_wish(answer)
        if status in known.ok:
            return answer
        words = f"{operation} is answered {status} {one_line(answer.reason, 100)}".rstrip()
        if status in known.not_mine:
            raise NotMine(words)
        if status in known.retry or status >= 500:
            raise TryAgain(words)
        raise NotUnderstood(f"{words}; the wire profile may not fit")

    def _heed_wish(self, answer: HttpAnswer) -> None:
        wish = answer.header("Retry-After").strip()
        if not wish:
            return
        if wish.isascii() and wish.isdecimal() and len(wish) < 10:
            seconds = float(wish)
        else:
            until = read_date(wish)
            seconds = (until - self._server_now(answer)).total_seconds() if until else 0.0
        self._parts.pace.hold(min(max(seconds, 0.0), LONGEST_HOLD_S))

    def _server_now(self, answer: HttpAnswer) -> datetime:
        """By its own clock; without one, ours and what the token service's clock has shown."""
        ours = self._parts.clock.now() + timedelta(seconds=self._parts.tokens.offset_s)
        return date_of(answer) or ours

    def _granted(self, answer: HttpAnswer, sent_at: float) -> Granted:
        said = self._read(read_lock, answer)
        granted_s = (said.expires - self._server_now(answer)).total_seconds() if said.expires else None
        return Granted(sent_at, granted_s, said.token)

    def _read(self, read: Callable[[Profile, bytes], T], answer: HttpAnswer) -> T:
        if not answer.complete:
            raise NotUnderstood("the registry's answer is larger than 1 MiB")
        try:
            return read(self._parts.profile, answer.body)
        except NotJson as error:
            raise Garbled(str(error)) from None
        except Unreadable as error:
            raise NotUnderstood(str(error)) from None
