"""What `check` tries, step by step up to the first failure (connectors.md 3.2)."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from tocsin.engine.contracts import CheckStep, Clock
from tocsin.engine.systems import LoginRefused, NotSupported, SystemFault
from tocsin.systems.milestone.answers import fault_of, json_of, said
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.session import Session
from tocsin.systems.milestone.stream import StateStream
from tocsin.transports.contract import Network, TlsOptions, TransportError, Unreachable
from tocsin.transports.web import WebServer

SKEW = timedelta(seconds=60)
CONNECT_DEADLINE_S = 5.0


class _Uris(Struct, frozen=True, rename="pascal"):
    product_version: str = ""


class Checks(Struct, frozen=True):
    """Everything the steps need."""

    network: Network
    server: WebServer
    tls: TlsOptions
    session: Session
    rest: Rest
    stream: StateStream
    clock: Clock
    timeout_s: float

    async def steps(self) -> AsyncIterator[CheckStep]:
        """Ends after the first failure that makes the others pointless."""
        async for step in self._way():
            yield step
            if not step.ok:
                return
        for attempt in (self._version, self._login):
            step = await attempt()
            yield step
            if not step.ok:
                return
        looks = (("rights", self._rights), ("recording servers", self._recorders), ("events", self._events))
        for what, look in looks:
            try:
                yield await look()
            except SystemFault as fault:
                yield CheckStep(what, False, str(fault), _WITHOUT.get(what, ""))

    async def _way(self) -> AsyncIterator[CheckStep]:
        where = f"connect to {self.server.endpoint}"
        try:
            link = await self.network.connect(self.server.endpoint, None, CONNECT_DEADLINE_S)
        except Unreachable as error:
            yield CheckStep(where, False, said(error))
            return
        await link.aclose()
        yield CheckStep(where, True, "the name is found and the port is open")
        if not self.server.encrypted:
            yield CheckStep("TLS", True, "NOT encrypted: the password can be read on the way", "write https:// in url")
            return
        try:
            link = await self.network.connect(self.server.endpoint, self.tls, CONNECT_DEADLINE_S)
        except Unreachable as error:
            yield CheckStep("TLS", False, said(error))
            return
        await link.aclose()
        if self.tls.insecure:
            hint = "leave tls.insecure out to have it checked"
            yield CheckStep("TLS", True, "the certificate was NOT checked", hint)
        else:
            yield CheckStep("TLS", True, "the certificate is accepted")

    async def _version(self) -> CheckStep:
        """Answers without a login (4.2), and shows the server's clock."""
        try:
            answer = await self.server.ask("GET", "/api/.well-known/uris", (), timeout_s=self.timeout_s)
            if answer.status != 200:
                raise fault_of(answer, "/api/.well-known/uris")
            uris = msgspec.convert(json_of(answer, "/api/.well-known/uris"), _Uris)
        except TransportError as error:
            return CheckStep("version", False, said(error))
        except msgspec.ValidationError:
            return CheckStep("version", False, "/api/.well-known/uris is not XProtect's", _WRONG_SERVER)
        except SystemFault as fault:
            return CheckStep("version", False, str(fault), _WRONG_SERVER)
        version = uris.product_version or "not told"
        return _with_clock(f"XProtect {version}", answer.header("Date"), self.clock.now())

    async def _login(self) -> CheckStep:
        try:
            await self.session.token()
        except LoginRefused as refused:
            return CheckStep("login", False, str(refused), "not tried more often than three times in an hour")
        except SystemFault as fault:
            return CheckStep("login", False, str(fault))
        return CheckStep("login", True, "user and password are accepted")

    async def _rights(self) -> CheckStep:
        """A lesser role sees less, without an error (4.3)."""
        answer = await self.rest.answer("roles")
        if answer.status == 200:
            return CheckStep("rights", True, "the user may read roles, so it is an administrator")
        hint = "give the user the Administrators role, or see that its role may see every device"
        return CheckStep("rights", True, f"no administrator ({answer.status}): the inventory may be incomplete", hint)

    async def _recorders(self) -> CheckStep:
        listing = await self.rest.listing("recordingServers")
        if listing.fault is not None:
            raise listing.fault
        count = len(listing.items)
        hint = "compare with the Management Client" if count else "the user's role sees none: check its rights"
        return CheckStep("recording servers", count > 0, f"{count} visible", hint)

    async def _events(self) -> CheckStep:
        try:
            await self.stream.probe()
        except NotSupported as fault:
            return CheckStep(
                "events", True, f"{fault}: only stored events tell of changes", "XProtect 2023 R3 or newer"
            )
        return CheckStep("events", True, "the Events and State service answers")


_WITHOUT = {"events": "the inventory works without it, states do not"}
_WRONG_SERVER = "url must be XProtect's API Gateway (2021 R2 or newer); check that it is installed and its port"


def _with_clock(detail: str, date: str, now: datetime) -> CheckStep:
    try:
        ahead = parsedate_to_datetime(date) - now
    except (ValueError, TypeError):
        return CheckStep("version", True, detail)
    if abs(ahead) < SKEW:
        return CheckStep("version", True, detail)
    with_skew = f"{detail}; its clock differs from ours by {ahead.total_seconds():+.0f} s"
    return CheckStep("version", True, with_skew, "set both clocks by NTP: times of states come from it")
