"""A JPEG of a camera from its recording server, live or from the recording (connectors.md 4.9)."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from tocsin.engine.systems import Misconfigured, ProtocolFault, SystemFault, Unreachable
from tocsin.systems.milestone.answers import said
from tocsin.systems.milestone.connection_token import ConnectionToken
from tocsin.systems.milestone.image_server import Answers, Picture, Said, connect_call, goto_call, jpeg_of, live_call
from tocsin.systems.milestone.resources import Channel, Hardware, ItemT, RecordingServer, read_item, single
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.session import Session
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.transports.contract import Connection, Endpoint, TlsOptions, TransportError
from tocsin.transports.web import WebServer

TOLERANCE = timedelta(seconds=10)
"""A recorder asked within a gap answers with what lies before it: a picture of another moment proves nothing."""
AT_ONCE = 4


class Photos:
    """Each photo has a connection of its own; four at once."""

    def __init__(
        self,
        settings: MilestoneSettings,
        surroundings: SystemSurroundings,
        management: WebServer,
        session: Session,
        rest: Rest,
    ) -> None:
        self._timeout_s = settings.photo_timeout
        self._network = surroundings.network
        self._tls = TlsOptions(settings.recorder_ca_file or settings.tls.ca_file, insecure=settings.tls.insecure)
        instance = uuid.UUID(int=surroundings.randomness.getrandbits(128))
        self._token = ConnectionToken(management, session, instance, surroundings.clock)
        self._rest = rest
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def photo(self, camera: str, at: datetime | None, recorder: RecordingServer | None) -> bytes:
        """`recorder` None: asked for. Raises SystemFault."""
        try:
            async with self._turns, asyncio.timeout(self._timeout_s):
                server = recorder or await self._recorder_of(camera)
                try:
                    return jpeg_of(await self._picture(camera, at, server))
                except TransportError as error:
                    raise Unreachable(said(error)) from error
        except TimeoutError:
            raise Unreachable(f"no photo of camera {camera} within {self._timeout_s:g} s") from None

    async def _picture(self, camera: str, at: datetime | None, server: RecordingServer) -> Picture:
        endpoint, tls = self._way_to(server)
        token = await self._token.value(self._timeout_s)
        link = await self._network.connect(endpoint, tls, self._timeout_s)
        try:
            answers = Answers()
            await link.send(connect_call(camera, token))
            await self._admitted(link, answers, endpoint)
            await link.send(live_call() if at is None else goto_call(round(at.timestamp() * 1000)))
            return _of_the_moment(await _next_picture(link, answers), at)
        finally:
            await link.aclose()

    async def _admitted(self, link: Connection, answers: Answers, endpoint: Endpoint) -> None:
        answer = await _next(link, answers)
        if isinstance(answer, Said) and answer.connected:
            return
        self._token.forget()
        reason = answer.reason if isinstance(answer, Said) else "an answer that belongs to nothing"
        raise SystemFault(f"the recording server {endpoint} does not admit us: {reason or 'no reason given'}")

    def _way_to(self, server: RecordingServer) -> tuple[Endpoint, TlsOptions | None]:
        uri = urlsplit(server.active_web_server_uri or server.web_server_uri)
        try:
            host, port = uri.hostname or server.host_name, uri.port or server.port_number
        except ValueError:
            host, port = server.host_name, server.port_number
        if not host or not 0 < port < 65536:
            raise Misconfigured(f"the address of the recording server {server.label} is not known to XProtect")
        return Endpoint(host, port), self._tls if uri.scheme == "https" else None

    async def _recorder_of(self, camera: str) -> RecordingServer:
        channel = await self._one(f"cameras/{quote(camera, safe='')}", Channel)
        box = await self._one(f"hardware/{quote(channel.parent, safe='')}", Hardware)
        return await self._one(f"recordingServers/{quote(box.parent, safe='')}", RecordingServer)

    async def _one(self, path: str, form: type[ItemT]) -> ItemT:
        item = read_item(single(await self._rest.one(path), path), form)
        if item is None:
            raise ProtocolFault(f"{path} cannot be read")
        return item


async def _next(link: Connection, answers: Answers) -> Picture | Said:
    while (answer := answers.next()) is None:
        data = await link.receive()
        if not data:
            raise Unreachable("the recording server closed the connection before it answered")
        answers.feed(data)
    return answer


async def _next_picture(link: Connection, answers: Answers) -> Picture:
    """Past the status messages of a live connection."""
    while True:
        answer = await _next(link, answers)
        if isinstance(answer, Picture):
            return answer


def _of_the_moment(picture: Picture, at: datetime | None) -> Picture:
    if not picture.body:
        raise SystemFault("nothing was recorded then" if at is not None else "the camera gives no picture now")
    if at is not None:
        taken = datetime.fromtimestamp(picture.at_ms / 1000, UTC)
        if abs(taken - at) > TOLERANCE:
            raise SystemFault(f"nothing was recorded at {at:%Y-%m-%d %H:%M:%S} UTC; the nearest is of {taken:%H:%M:%S}")
    return picture
