"""Stand-in ONVIF cameras: several on one address, each on a port of its own; strict about logins, names and headers."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import re
import secrets
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Clock
from tocsin.protocols import xml
from tocsin.standins import onvif_answers as say
from tocsin.standins.onvif_answers import Message, Nature
from tocsin.standins.onvif_recordings import PREFIXES, RecordingService
from tocsin.standins.onvif_requests import Refusal, addressed, duration, opened, value
from tocsin.standins.web_service import Out

if TYPE_CHECKING:
    from lxml import etree

CREATED_WITHIN = timedelta(seconds=300)
PICTURE = "/picture.jpg"


class OnvifCamera:
    """One camera; its attributes are switches that may be turned at any time.

    `frozen`: takes connections and requests and never answers. `offset`: its clock is ahead by so much. `http_digest`:
    asks for the login by HTTP instead of in the message. `time_needs_login`: even for its time. `foreign`: an origin
    it takes for its own. `without`: operations it does not have; `forbidden`: those its user may not call. `life_s`:
    how long its subscriptions live at most.
    `parameters`: tells its subscriptions apart by a header that requests repeat, not by their address.
    `recordings`: what it has recorded. `basic_picture`: gives its picture to HTTP Basic only.
    """

    def __init__(self, nature: Nature, clock: Clock, user: str = "", password: str = "") -> None:
        self.nature, self.user, self.password = nature, user, password
        self.frozen = False
        self.offset = timedelta()
        self.http_digest = False
        self.time_needs_login = False
        self.media2 = False
        self.parameters = False
        self.no_services = False
        self.foreign = ""
        self.picture_at = ""
        self.basic_picture = False
        self.without: set[str] = set()
        self.forbidden: set[str] = set()
        self.life_s = 600.0
        self.picture = b""
        self.relays: dict[str, str] = {}
        self.states: dict[tuple[str, tuple[tuple[str, str], ...]], Message] = {}
        self.subscriptions: dict[int, tuple[datetime, list[Message]]] = {}
        self.requests: list[str] = []
        self.logins_refused = 0
        self.changed = asyncio.Condition()
        self.recordings: RecordingService | None = None
        self._clock = clock
        self._nonces: set[str] = set()
        self._http_nonces: set[str] = set()

    def now(self) -> datetime:
        """By its own clock."""
        return self._clock.now() + self.offset

    async def notify(self, topic: str, source: dict[str, str], data: dict[str, str]) -> None:
        """Something changes: everybody who has subscribed is told."""
        message = Message(topic, tuple(source.items()), tuple(data.items()), self.now())
        self.states[message.topic, message.source] = message
        for _, waiting in self.subscriptions.values():
            waiting.append(message)
        async with self.changed:
            self.changed.notify_all()

    def forget_subscriptions(self) -> None:
        """As after a restart."""
        self.subscriptions.clear()

    # HTTP

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.frozen:
            await asyncio.Event().wait()
        if request.method == "GET":
            return self._picture(request)
        if request.method != "POST" or request.content_type != "application/soap+xml":
            return web.Response(status=415, text="POST SOAP 1.2 as application/soap+xml")
        try:
            operation, prefix, content, header = opened(body)
            self.requests.append(operation)
            if operation in self.without:
                raise Refusal("ActionNotSupported", f"{operation} is not supported", "Receiver")
            if operation != "GetSystemDateAndTime" or self.time_needs_login:
                if self.http_digest and not self._http_login(request):
                    return self._challenged()
                if not self.http_digest:
                    self._token(header)
            if operation in self.forbidden:
                raise Refusal("NotAuthorized", "Sender not Authorized")
            addressed(operation, header)
            answer = await self._answer(request, operation, prefix, content, header)
        except Refusal as refusal:
            status = 400 if refusal.code == "Sender" else 500
            data = say.fault(refusal.code, refusal.subcode, refusal.reason)
            return web.Response(status=status, body=data, content_type="application/soap+xml")
        return web.Response(body=say.envelope(answer), content_type="application/soap+xml")

    def _picture(self, request: web.Request) -> web.Response:
        self.requests.append(f"GET {request.path}")
        if request.path != PICTURE:
            return web.Response(status=404)
        if self.user and self.basic_picture and not self._basic_login(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="camera"'})
        if self.user and not self.basic_picture and not self._http_login(request):
            return self._challenged()
        return web.Response(body=self.picture, content_type="image/jpeg")

    def _challenged(self) -> web.Response:
        nonce = secrets.token_hex(16)
        self._http_nonces.add(nonce)
        asks = f'Digest realm="camera", qop="auth", algorithm=MD5, nonce="{nonce}"'
        return web.Response(status=401, headers={"WWW-Authenticate": asks})

    def _basic_login(self, request: web.Request) -> bool:
        header = request.headers.get("Authorization", "")
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        self.logins_refused += bool(header) and header != f"Basic {wanted}"
        return header == f"Basic {wanted}"

    def _http_login(self, request: web.Request) -> bool:
        """RFC 7616 with MD5 and qop auth."""
        header = request.headers.get("Authorization", "")
        if not header.startswith("Digest "):
            return False
        said = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', header)}
        if said.get("nonce") not in self._http_nonces or said.get("username") != self.user:
            self.logins_refused += 1
            return False
        first = _md5(f"{self.user}:camera:{self.password}")
        second = _md5(f"{request.method}:{said.get('uri')}")
        wanted = _md5(f"{first}:{said['nonce']}:{said.get('nc')}:{said.get('cnonce')}:auth:{second}")
        good = hmac.compare_digest(wanted, said.get("response", "")) and said.get("uri") == request.raw_path
        self.logins_refused += not good
        return good

    # SOAP

    def _token(self, header: "etree._Element | None") -> None:
        """WS-Security UsernameToken with digest: right, fresh by the camera's clock, never used before."""
        if not self.user:
            return
        token = None if header is None else xml.first(header, "UsernameToken")
        if token is None:
            raise Refusal("NotAuthorized", "Sender not Authorized")
        said = {xml.local_name(one): xml.text_of(one) for one in token}
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", said.get("Created", "")):
            raise Refusal("NotAuthorized", "Created is not written in UTC with Z")
        created = datetime.fromisoformat(said["Created"])
        secret = base64.b64decode(said.get("Nonce", "")) + said["Created"].encode() + self.password.encode()
        wanted = base64.b64encode(hashlib.sha1(secret, usedforsecurity=False).digest()).decode()
        fresh = abs(created - self.now()) <= CREATED_WITHIN and said["Nonce"] not in self._nonces
        self._nonces.add(said.get("Nonce", ""))
        right = hmac.compare_digest(wanted, said.get("Password", ""))
        if not (right and fresh and said.get("Username") == self.user):
            self.logins_refused += 1
            raise Refusal("NotAuthorized", "Sender not Authorized")

    async def _answer(
        self, request: web.Request, operation: str, prefix: str, content: "etree._Element", header: Any
    ) -> str:
        if prefix in ("tev", "wsnt"):
            return await self._event(request, operation, content, header)
        if prefix in PREFIXES and self.recordings is not None:
            return self.recordings.answer(operation, content)
        origin = self.foreign or f"{request.scheme}://{request.host}"
        match prefix, operation:
            case "tds", "GetServices":
                made = "" if self.no_services else say.services(origin, self.media2, self.recordings is not None)
                return f"<tds:GetServicesResponse>{made}</tds:GetServicesResponse>"
            case "tds", "GetCapabilities":
                return say.capabilities(origin)
            case "tds", "SetRelayOutputState":
                return self._relay(content)
            case "trt" | "tr2", "GetSnapshotUri" | "GetStreamUri":
                return self._uri(prefix, operation, content, origin)
        told: Callable[[Nature], str] | None = _TOLD.get((prefix, operation))
        if operation == "GetSystemDateAndTime":
            return say.date_and_time(self.now())
        if told is None or (prefix == "tr2" and not self.media2):
            raise Refusal("ActionNotSupported", f"{prefix}:{operation} is not supported", "Receiver")
        return told(self.nature)

    def _relay(self, content: "etree._Element") -> str:
        token, state = value(content, "RelayOutputToken"), value(content, "LogicalState")
        if token not in self.nature.outputs:
            raise Refusal("RelayToken", f"there is no relay output {token}")
        if state not in ("active", "inactive"):
            raise Refusal("InvalidArgVal", f"{state} is no state of a relay output")
        self.relays[token] = state
        return "<tds:SetRelayOutputStateResponse/>"

    def _uri(self, prefix: str, operation: str, content: "etree._Element", origin: str) -> str:
        token = value(content, "ProfileToken")
        if token not in say.profile_tokens(self.nature):
            raise Refusal("NoProfile", f"there is no profile {token}")
        if operation == "GetSnapshotUri":
            return say.uri(prefix, operation, self.picture_at or f"{origin}{PICTURE}")
        host = origin.partition("://")[2].partition(":")[0]
        return say.uri(prefix, operation, f"rtsp://{host}:554/{token}?channel=1&subtype=0")

    # Events

    async def _event(self, request: web.Request, operation: str, content: "etree._Element", header: Any) -> str:
        if operation == "CreatePullPointSubscription":
            life_s = min(duration(value(content, "InitialTerminationTime")), self.life_s)
            number = len(self.requests)
            end = self.now() + timedelta(seconds=life_s)
            self.subscriptions[number] = (end, [])
            origin = self.foreign or f"{request.scheme}://{request.host}"
            if self.parameters:
                return say.subscribed(f"{origin}/onvif/subscription", str(number), self.now(), end)
            return say.subscribed(f"{origin}/onvif/subscription?id={number}", "", self.now(), end)
        number = self._subscription(request.query.get("id", ""), header)
        end, waiting = self.subscriptions[number]
        match operation:
            case "Renew":
                life_s = min(duration(value(content, "TerminationTime")), self.life_s)
                end = self.now() + timedelta(seconds=life_s)
                self.subscriptions[number] = (end, waiting)
                return say.renewed(self.now(), end)
            case "Unsubscribe":
                del self.subscriptions[number]
                return "<wsnt:UnsubscribeResponse/>"
            case "SetSynchronizationPoint":
                waiting += [_initialized(one) for one in self.states.values()]
                return "<tev:SetSynchronizationPointResponse/>"
            case "PullMessages":
                return await self._pulled(number, content)
        raise Refusal("ActionNotSupported", f"{operation} is not supported", "Receiver")

    def _subscription(self, written: str, header: "etree._Element | None") -> int:
        if self.parameters:
            written = "" if header is None else xml.text_of(xml.first(header, "SubscriptionId"))
        number = int(written) if written.isdigit() else -1
        if number not in self.subscriptions or self.subscriptions[number][0] < self.now():
            self.subscriptions.pop(number, None)
            raise Refusal("InvalidArgVal", "there is no such subscription")
        return number

    async def _pulled(self, number: int, content: "etree._Element") -> str:
        most = int(value(content, "MessageLimit"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(duration(value(content, "Timeout"))), self.changed:
                await self.changed.wait_for(lambda: number not in self.subscriptions or self.subscriptions[number][1])
        if number not in self.subscriptions:
            raise Refusal("InvalidArgVal", "there is no such subscription")
        end, waiting = self.subscriptions[number]
        taken, waiting[:] = waiting[:most], waiting[most:]
        return say.pulled(taken, self.now(), end)


_TOLD: dict[tuple[str, str], Callable[[Nature], str]] = {
    ("tds", "GetDeviceInformation"): say.information,
    ("tds", "GetNetworkInterfaces"): say.interfaces,
    ("tds", "GetScopes"): say.scopes,
    ("tds", "GetHostname"): say.hostname,
    ("tds", "GetRelayOutputs"): say.relay_outputs,
    ("trt", "GetProfiles"): say.profiles,
    ("tr2", "GetProfiles"): say.profiles2,
}


def _initialized(one: Message) -> Message:
    return Message(one.topic, one.source, one.data, one.at, "Initialized")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class OnvifCameras:
    """The cameras on one host: on `listen` and the ports that follow, or each on a free one where that is port 0."""

    def __init__(
        self, listen: str, out: Out, cameras: Sequence[OnvifCamera], tls: ssl.SSLContext | None = None
    ) -> None:
        self._host, self._first = split_listen(listen)
        self._out = out
        self._cameras = cameras
        self._tls = tls
        self._runners: list[web.AppRunner] = []
        self.ports: list[int] = []

    async def start(self) -> list[int]:
        """The ports, in the cameras' order. Raises OSError."""
        for place, camera in enumerate(self._cameras):
            self.ports.append(await self._listen(camera, self._first + place if self._first else 0))
        return self.ports

    async def _listen(self, camera: OnvifCamera, port: int) -> int:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._telling(camera))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._host, port, ssl_context=self._tls, backlog=512).start()
        return int(runner.addresses[0][1])

    def _telling(self, camera: OnvifCamera) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = await camera.handle(request)
            what = camera.requests[-1] if camera.requests else ""
            self._out({"camera": camera.nature.name, "request": what, "status": response.status})
            return response

        return handle

    async def close(self, place: int) -> None:
        """One camera's port is closed."""
        await self._runners[place].cleanup()

    async def aclose(self) -> None:
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        self._runners.clear()

    async def serve(self, started: Callable[[int], None] | None = None) -> None:
        """Run until cancelled. Raises OSError if it cannot listen."""
        try:
            for port in await self.start():
                if started is not None:
                    started(port)
            await asyncio.Event().wait()
        finally:
            await self.aclose()
