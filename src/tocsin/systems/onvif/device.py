"""One ONVIF device: the calls we make, each with its deadline and its login."""

from datetime import timedelta
from typing import TYPE_CHECKING

from yarl import URL

from tocsin.engine.contracts import Clock, Randomness
from tocsin.engine.systems import LoginRefused, NotSupported, ProtocolFault
from tocsin.media.jpeg import NoJpeg, jpeg_facts
from tocsin.protocols import xml
from tocsin.systems.onvif import facts, soap
from tocsin.systems.onvif.line import DeviceLine
from tocsin.systems.onvif.login import Login

if TYPE_CHECKING:
    from lxml import etree

PHOTO_LIMIT = 10 * 1024 * 1024
PHOTO_DEADLINE_S = 10.0
SKEW_TAKEN_S = 5.0
"""A device whose clock is further off gets its logins signed with its own time (connectors.md 6.3)."""
_SERVICES = {"tse": "searching recordings", "trp": "replaying recordings"}
_INFORMATION = "<tds:GetDeviceInformation/>"
_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_NOTIFICATION = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"


class OnvifDevice:
    """`offset` is how far the device's clock is ahead of ours, once it was asked. Every call raises SystemFault, and
    SoapFault where the device refuses for another reason than the login.
    """

    def __init__(self, line: DeviceLine, user: str, password: str, clock: Clock, randomness: Randomness) -> None:
        self.line = line
        self.login = Login()
        self.offset = timedelta()
        self._user, self._password = user, password
        self._clock, self._randomness = clock, randomness
        self._digest = False
        self._token = True
        self._services: dict[str, str] = {}

    # What a device is

    async def probe(self) -> None:
        """The cheapest sign of life: its time, which needs no login by the standard; a refusal is a sign too."""
        began = self._clock.now()
        try:
            answer = await self._time()
        except (soap.SoapFault, LoginRefused):
            return
        told = facts.device_time(answer)
        if told is not None:
            self.offset = told - (began + (self._clock.now() - began) / 2)

    async def _time(self) -> "etree._Element":
        body = "<tds:GetSystemDateAndTime/>"
        try:
            return await self._exchanged(self.line.root, body, (), login=False)
        except LoginRefused:
            if not self._user or self.login.refused:
                raise
            return await self._call(self.line.root, body)

    async def information(self) -> facts.Information:
        return facts.information(await self._call(self.line.root, _INFORMATION))

    async def services(self) -> dict[str, str]:
        """Namespace to address; of GetCapabilities where GetServices is refused or empty."""
        body = "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>"
        try:
            found = facts.services(await self._call(self.line.root, body))
        except (soap.SoapFault, NotSupported):
            found = {}
        if not found:
            body = "<tds:GetCapabilities><tds:Category>All</tds:Category></tds:GetCapabilities>"
            found = facts.capabilities(await self._call(self.line.root, body))
        self._services = found
        return found

    async def interfaces(self) -> tuple[facts.Interface, ...]:
        return facts.interfaces(await self._call(self.line.root, "<tds:GetNetworkInterfaces/>"))

    async def scopes(self) -> facts.Scopes:
        return facts.scopes(await self._call(self.line.root, "<tds:GetScopes/>"))

    async def hostname(self) -> str:
        return facts.hostname(await self._call(self.line.root, "<tds:GetHostname/>"))

    async def relay_outputs(self) -> tuple[str, ...]:
        return facts.tokens(await self._call(self.line.root, "<tds:GetRelayOutputs/>"), "RelayOutputs")

    async def profiles(self) -> tuple[facts.Profile, ...]:
        """Of Media2 where it is offered, else of Media."""
        body = "<tr2:GetProfiles><tr2:Type>VideoSource</tr2:Type></tr2:GetProfiles>"
        if await self._service("tr2"):
            return facts.profiles(await self._call(await self._at("tr2"), body))
        return facts.profiles(await self._call(await self._at("trt"), "<trt:GetProfiles/>"))

    # What it is asked for

    async def stream_uri(self, profile: str) -> str:
        """RTSP over TCP or UDP as the client chooses; without a login in it."""
        token = xml.content(profile)
        body = (
            "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>"
            "<tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup>"
            f"<trt:ProfileToken>{token}</trt:ProfileToken></trt:GetStreamUri>"
        )
        if await self._service("tr2"):
            body = (
                "<tr2:GetStreamUri><tr2:Protocol>RTSP</tr2:Protocol>"
                f"<tr2:ProfileToken>{token}</tr2:ProfileToken></tr2:GetStreamUri>"
            )
        url = URL(facts.uri(await self._call(await self._media(), body)))
        return str(url.with_user(None).with_host(str(self.line.root.host))) if url.host else ""

    async def picture(self, profile: str, clear_login: bool) -> bytes:
        """A JPEG, now."""
        prefix, token = "tr2" if await self._service("tr2") else "trt", xml.content(profile)
        body = (
            f"<{prefix}:GetSnapshotUri><{prefix}:ProfileToken>{token}</{prefix}:ProfileToken></{prefix}:GetSnapshotUri>"
        )
        url = self.line.own(facts.uri(await self._call(await self._media(), body)))
        reply = await self.line.get(url, PHOTO_LIMIT, PHOTO_DEADLINE_S)
        if reply.status == 401 and "basic" in reply.challenge and "digest" not in reply.challenge:
            if url.scheme != "https" and not clear_login:
                raise LoginRefused(
                    f"{self.line.endpoint} gives pictures only to a readable password (HTTP Basic) over http. "
                    "Use https, or allow it with clear_login = true"
                )
            reply = await self.line.get(url, PHOTO_LIMIT, PHOTO_DEADLINE_S, basic=True)
        if reply.status in (401, 403):
            raise LoginRefused(f"{self.line.endpoint} refuses the login for its picture (HTTP {reply.status})")
        reading = jpeg_facts(reply.body) if reply.status == 200 else NoJpeg(f"HTTP {reply.status}")
        if isinstance(reading, NoJpeg):
            raise ProtocolFault(f"{self.line.endpoint} gave no picture: {reading.reason}")
        return reply.body

    async def switch_relay(self, token: str, active: bool) -> None:
        body = (
            f"<tds:SetRelayOutputState><tds:RelayOutputToken>{xml.content(token)}</tds:RelayOutputToken>"
            f"<tds:LogicalState>{'active' if active else 'inactive'}</tds:LogicalState></tds:SetRelayOutputState>"
        )
        await self._call(self.line.root, body)

    async def ask(self, prefix: str, body: str, wait_s: float = 0.0) -> "etree._Element":
        """A call to the service of this prefix. Raises NotSupported where the device has none."""
        if not await self._service(prefix):
            raise NotSupported(f"{self.line.endpoint} has no service for {_SERVICES.get(prefix, prefix)}")
        return await self._call(await self._at(prefix), body, wait_s=wait_s)

    # Its events

    async def subscribe(self, life_s: int) -> tuple[facts.Reference, float]:
        """A pull point, and the seconds it lives."""
        if not await self._service("tev"):
            raise NotSupported(f"{self.line.endpoint} has no event service")
        body = (
            "<tev:CreatePullPointSubscription><tev:InitialTerminationTime>"
            f"PT{life_s}S</tev:InitialTerminationTime></tev:CreatePullPointSubscription>"
        )
        action = f"{_EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"
        answer = await self._call(await self._at("tev"), body, action)
        reference = facts.subscription(answer)
        if not reference.address:
            raise ProtocolFault(f"{self.line.endpoint} gives a subscription without an address")
        return reference, facts.life_s(answer) or life_s

    async def pull(self, reference: facts.Reference, wait_s: int, most: int) -> tuple[facts.Notification, ...]:
        body = (
            f"<tev:PullMessages><tev:Timeout>PT{wait_s}S</tev:Timeout>"
            f"<tev:MessageLimit>{most}</tev:MessageLimit></tev:PullMessages>"
        )
        action = f"{_EVENTS}/PullPointSubscription/PullMessagesRequest"
        return facts.notifications(await self._subscribed(reference, body, action, wait_s))

    async def renew(self, reference: facts.Reference, life_s: int) -> float:
        """The seconds it lives from now."""
        body = f"<wsnt:Renew><wsnt:TerminationTime>PT{life_s}S</wsnt:TerminationTime></wsnt:Renew>"
        answer = await self._subscribed(reference, body, f"{_NOTIFICATION}/RenewRequest")
        return facts.life_s(answer) or life_s

    async def synchronize(self, reference: facts.Reference) -> None:
        """Has the device send the state of everything it tells."""
        action = f"{_EVENTS}/PullPointSubscription/SetSynchronizationPointRequest"
        await self._subscribed(reference, "<tev:SetSynchronizationPoint/>", action)

    async def unsubscribe(self, reference: facts.Reference) -> None:
        await self._subscribed(reference, "<wsnt:Unsubscribe/>", f"{_NOTIFICATION}/UnsubscribeRequest")

    async def _subscribed(
        self, reference: facts.Reference, body: str, action: str, wait_s: float = 0.0
    ) -> "etree._Element":
        url = self.line.own(reference.address)
        return await self._call(url, body, action, reference.parameters, wait_s)

    # Asking

    async def _service(self, prefix: str) -> str:
        """The address of a service as the device tells it; empty when it has none."""
        services = self._services or await self.services()
        return services.get(soap.NAMESPACES[prefix], "")

    async def _at(self, prefix: str) -> URL:
        address = await self._service(prefix)
        return self.line.own(address) if address else self.line.root

    async def _media(self) -> URL:
        return await self._at("tr2" if await self._service("tr2") else "trt")

    async def _call(
        self, url: URL, body: str, action: str = "", headers: tuple[str, ...] = (), wait_s: float = 0.0
    ) -> "etree._Element":
        if action:
            headers = (
                f"<wsa:Action>{action}</wsa:Action>",
                f"<wsa:To>{xml.content(str(url))}</wsa:To>",
                *headers,
            )
        if not self._user:
            return await self._exchanged(url, body, headers, login=False, wait_s=wait_s)
        if not self.login.proven:
            return await self._logged_in(url, body, headers, wait_s)
        return await self._allowed(url, body, headers, wait_s)

    async def _allowed(self, url: URL, body: str, headers: tuple[str, ...], wait_s: float) -> "etree._Element":
        """A device says the same of a wrong password and of a user who may not do this: where the login was good
        before, a call that every user may make tells which it is.
        """
        try:
            return await self._exchanged(url, body, headers, login=True, wait_s=wait_s)
        except _Refused:
            self.login.was_refused(self._clock.monotonic())
            await self._logged_in(self.line.root, _INFORMATION, (), 0.0)
        try:
            return await self._exchanged(url, body, headers, login=True, wait_s=wait_s)
        except _Refused:
            raise ProtocolFault(
                f"{self.line.endpoint} does not let user {self._user!r} do this: give the user more rights there"
            ) from None

    async def _logged_in(self, url: URL, body: str, headers: tuple[str, ...], wait_s: float) -> "etree._Element":
        """With the login this device took last; where it asks for one by HTTP, with that and then with both."""
        ways = list(dict.fromkeys([(self._token, self._digest), (False, True), (True, True)]))
        for token, digest in ways:
            self._must_be_free()
            self._token, self._digest = token, digest
            try:
                answer = await self._exchanged(url, body, headers, login=True, wait_s=wait_s)
            except _Refused as refused:
                self.login.was_refused(self._clock.monotonic())
                if "digest" in refused.challenge:
                    continue
                break
            except soap.SoapFault:  # it refuses the call, not the login
                self.login.was_taken()
                raise
            self.login.was_taken()
            return answer
        self._token, self._digest = ways[0]
        raise LoginRefused(
            f"{self.line.endpoint} refuses the login of user {self._user!r}. Check user and password of this device, "
            "and that the user is one for ONVIF: many makers keep those apart"
        )

    def _must_be_free(self) -> None:
        wait_s = self.login.wait_s(self._clock.monotonic())
        if wait_s:
            raise LoginRefused(
                f"{self.line.endpoint} refused the login of user {self._user!r} three times; so that it is not locked "
                f"out, the next try is in {wait_s / 60:.0f} min, or after a reload with another password"
            )

    async def _exchanged(
        self, url: URL, body: str, headers: tuple[str, ...], login: bool, wait_s: float = 0.0
    ) -> "etree._Element":
        token = (self._username_token(),) if login and self._token else ()
        reply = await self.line.post(url, soap.envelope(body, *token, *headers), login and self._digest, wait_s)
        if reply.status in (401, 403):
            raise _Refused(self.line, reply.challenge)
        try:
            return soap.answer(reply.body)
        except soap.SoapFault as fault:
            if fault.not_authorized:
                raise _Refused(self.line, reply.challenge) from fault
            raise
        except soap.NotSoap as error:
            raise ProtocolFault(f"{self.line.endpoint} answers HTTP {reply.status} and no SOAP: {error}") from None

    def _username_token(self) -> str:
        now = self._clock.now()
        if abs(self.offset.total_seconds()) > SKEW_TAKEN_S:
            now += self.offset
        nonce = self._randomness.getrandbits(128).to_bytes(16, "big")
        return soap.username_token(self._user, self._password, now, nonce)


class _Refused(LoginRefused):
    """The device does not let us in this way; `challenge` is what it asks for by HTTP."""

    def __init__(self, line: DeviceLine, challenge: str) -> None:
        super().__init__(f"{line.endpoint} asks for a login, and none is configured for it")
        self.challenge = challenge
