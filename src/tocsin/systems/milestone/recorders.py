"""The way to recording servers: which one a camera is on, where it listens, and a connection it admits
(connectors.md 4.9).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

from tocsin.engine.systems import Misconfigured, NotSupported, ProtocolFault, SystemFault, UnknownDevice, Unreachable
from tocsin.systems.milestone.answers import said
from tocsin.systems.milestone.connection_token import ConnectionToken
from tocsin.systems.milestone.image_server import Answers, Picture, Said, connect_call, update_call
from tocsin.systems.milestone.resources import Channel, Hardware, ItemT, RecordingServer, read_item, single
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.session import Session
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.transports.contract import Connection, Endpoint, TlsOptions, TransportError
from tocsin.transports.web import WebServer


class ImageLink:
    """A connection of one camera that its recording server has admitted. `token` is the one it stands by."""

    def __init__(self, link: Connection, answers: Answers, camera: str, token: str) -> None:
        self.token = token
        self._link = link
        self._answers = answers
        self._camera = camera

    async def picture(self, call: bytes) -> Picture:
        """Ask, and wait for the picture, past whatever is said in between. Raises TransportError, SystemFault."""
        await self._link.send(call)
        while True:
            answer = await next_answer(self._link, self._answers)
            if isinstance(answer, Picture):
                return answer
            if answer.method == "connectupdate" and answer.refused:
                raise SystemFault(f"the recording server does not take a renewed token: {answer.reason}")

    async def renew(self, token: str) -> None:
        """What is answered comes before the next picture. Raises TransportError."""
        await self._link.send(update_call(self._camera, token))
        self.token = token


class Recorders:
    """`token` opens every recording server of the site."""

    def __init__(
        self,
        settings: MilestoneSettings,
        surroundings: SystemSurroundings,
        management: WebServer,
        session: Session,
        rest: Rest,
    ) -> None:
        self._name = settings.name
        self._network = surroundings.network
        self._tls = TlsOptions(settings.recorder_ca_file or settings.tls.ca_file, insecure=settings.tls.insecure)
        instance = uuid.UUID(int=surroundings.randomness.getrandbits(128))
        self.token = ConnectionToken(management, session, instance, surroundings.clock)
        self._rest = rest

    async def of(self, camera: str) -> RecordingServer:
        """Asked for. Raises SystemFault."""
        try:
            channel = await self._one(f"cameras/{quote(camera, safe='')}", Channel)
        except NotSupported as missing:
            raise UnknownDevice(f"{self._name} has no camera {camera}: {missing}") from None
        box = await self._one(f"hardware/{quote(channel.parent, safe='')}", Hardware)
        return await self._one(f"recordingServers/{quote(box.parent, safe='')}", RecordingServer)

    def way_to(self, server: RecordingServer) -> tuple[Endpoint, TlsOptions | None]:
        """Raises Misconfigured."""
        uri = urlsplit(server.active_web_server_uri or server.web_server_uri)
        try:
            host, port = uri.hostname or server.host_name, uri.port or server.port_number
        except ValueError:
            host, port = server.host_name, server.port_number
        if not host or not 0 < port < 65536:
            raise Misconfigured(f"the address of the recording server {server.label} is not known to XProtect")
        return Endpoint(host, port), self._tls if uri.scheme == "https" else None

    def web(self, server: RecordingServer) -> WebServer:
        """The same port answers HTTP. Raises Misconfigured."""
        endpoint, tls = self.way_to(server)
        return WebServer(f"{'http' if tls is None else 'https'}://{endpoint}", tls or TlsOptions(), 1)

    @asynccontextmanager
    async def opened(
        self, camera: str, server: RecordingServer, timeout_s: float, jpeg: bool
    ) -> AsyncIterator[ImageLink]:
        """For the time of the block; `jpeg`: the recorder makes JPEG of whatever it has. Raises SystemFault, also for
        what breaks within the block.
        """
        endpoint, tls = self.way_to(server)
        token = await self.token.value(timeout_s)
        try:
            link = await self._network.connect(endpoint, tls, timeout_s)
            try:
                answers = Answers()
                call = connect_call(camera, token, jpeg)
                self._admitted(await _within(timeout_s, link, call, answers), endpoint)
                yield ImageLink(link, answers, camera, token)
            finally:
                await link.aclose()
        except TransportError as error:
            raise Unreachable(said(error)) from error

    def _admitted(self, answer: Picture | Said, endpoint: Endpoint) -> None:
        if isinstance(answer, Said) and answer.connected:
            return
        self.token.forget()
        reason = answer.reason if isinstance(answer, Said) else "an answer that belongs to nothing"
        raise SystemFault(f"the recording server {endpoint} does not admit us: {reason or 'no reason given'}")

    async def _one(self, path: str, form: type[ItemT]) -> ItemT:
        item = read_item(single(await self._rest.one(path), path), form)
        if item is None:
            raise ProtocolFault(f"{path} cannot be read")
        return item


async def _within(timeout_s: float, link: Connection, call: bytes, answers: Answers) -> Picture | Said:
    try:
        async with asyncio.timeout(timeout_s):
            await link.send(call)
            return await next_answer(link, answers)
    except TimeoutError:
        raise Unreachable(f"the recording server has not answered for {timeout_s:g} s") from None


async def next_answer(link: Connection, answers: Answers) -> Picture | Said:
    while (answer := answers.next()) is None:
        data = await link.receive()
        if not data:
            raise Unreachable("the recording server closed the connection before it answered")
        answers.feed(data)
    return answer
