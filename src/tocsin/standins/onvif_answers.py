"""What a stand-in ONVIF camera answers: the shapes of connectors.md 6.3 and of ONVIF's core specification."""

from datetime import UTC, datetime
from xml.sax.saxutils import escape

from msgspec import Struct

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tse": "http://www.onvif.org/ver10/search/wsdl",
    "trp": "http://www.onvif.org/ver10/replay/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "tns1": "http://www.onvif.org/ver10/topics",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wsa5": "http://www.w3.org/2005/08/addressing",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


class Nature(Struct, frozen=True):
    """What a camera is. `sources`: how many video sources; `mac` as it writes it."""

    name: str = "Gate"
    manufacturer: str = "Acme"
    model: str = "AC-2200"
    firmware: str = "5.4.1"
    serial: str = "AC22-0004417"
    mac: str = "9c-8e-cd-12-34-f0"
    ip: str = "192.0.2.11"
    hostname: str = "gate"
    locations: tuple[str, ...] = ("country/estonia", "North%20depot")
    sources: int = 1
    outputs: tuple[str, ...] = ("Relay0",)


class Message(Struct, frozen=True):
    """One notification. `at` is the camera's own time."""

    topic: str
    source: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    at: datetime
    operation: str = "Changed"


def envelope(body: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope {_DECLARED}><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def fault(code: str, subcode: str, reason: str) -> bytes:
    return envelope(
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>ter:{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escape(reason)}</s:Text></s:Reason></s:Fault>'
    )


def date_and_time(now: datetime) -> str:
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime>"
        f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
        f"</tt:Time><tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
        "</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def information(one: Nature) -> str:
    return (
        f"<tds:GetDeviceInformationResponse><tds:Manufacturer>{escape(one.manufacturer)}</tds:Manufacturer>"
        f"<tds:Model>{escape(one.model)}</tds:Model><tds:FirmwareVersion>{escape(one.firmware)}</tds:FirmwareVersion>"
        f"<tds:SerialNumber>{escape(one.serial)}</tds:SerialNumber><tds:HardwareId>1.2</tds:HardwareId>"
        "</tds:GetDeviceInformationResponse>"
    )


def services(origin: str, media2: bool, recordings: bool) -> str:
    paths = {"tds": "device_service", "trt": "media", "tev": "events"} | ({"tr2": "media2"} if media2 else {})
    paths |= {"tse": "search", "trp": "replay"} if recordings else {}
    return "".join(
        f"<tds:Service><tds:Namespace>{NAMESPACES[prefix]}</tds:Namespace><tds:XAddr>{origin}/onvif/{path}</tds:XAddr>"
        "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version></tds:Service>"
        for prefix, path in paths.items()
    )


def capabilities(origin: str) -> str:
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities>"
        f"<tt:Device><tt:XAddr>{origin}/onvif/device_service</tt:XAddr></tt:Device>"
        f"<tt:Events><tt:XAddr>{origin}/onvif/events</tt:XAddr></tt:Events>"
        f"<tt:Media><tt:XAddr>{origin}/onvif/media</tt:XAddr></tt:Media>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def interfaces(one: Nature) -> str:
    return (
        '<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled>'
        f"<tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>{escape(one.mac)}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info>"
        "<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config><tt:Manual>"
        f"<tt:Address>{one.ip}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual><tt:DHCP>false</tt:DHCP>"
        "</tt:Config></tt:IPv4></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>"
    )


def scopes(one: Nature) -> str:
    said = [f"name/{escape(one.name.replace(' ', '%20'))}", f"hardware/{one.model}"]
    said += [f"location/{each}" for each in one.locations]
    items = "".join(
        "<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef>"
        f"<tt:ScopeItem>onvif://www.onvif.org/{each}</tt:ScopeItem></tds:Scopes>"
        for each in said
    )
    return f"<tds:GetScopesResponse>{items}</tds:GetScopesResponse>"


def hostname(one: Nature) -> str:
    return (
        "<tds:GetHostnameResponse><tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP>"
        f"<tt:Name>{one.hostname}</tt:Name></tds:HostnameInformation></tds:GetHostnameResponse>"
    )


def relay_outputs(one: Nature) -> str:
    items = "".join(
        f'<tds:RelayOutputs token="{token}"><tt:Properties><tt:Mode>Bistable</tt:Mode><tt:DelayTime>PT0S</tt:DelayTime>'
        "<tt:IdleState>open</tt:IdleState></tt:Properties></tds:RelayOutputs>"
        for token in one.outputs
    )
    return f"<tds:GetRelayOutputsResponse>{items}</tds:GetRelayOutputsResponse>"


def profile_tokens(one: Nature) -> list[str]:
    """A main and a sub stream for each source."""
    return [f"P{number}{stream}" for number in range(1, one.sources + 1) for stream in "ab"]


def profiles(one: Nature) -> str:
    made = "".join(
        f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{token}</tt:Name>'
        f'<tt:VideoSourceConfiguration token="VSC{token[1:-1]}"><tt:Name>Lens {token[1:-1]}</tt:Name>'
        f"<tt:UseCount>2</tt:UseCount><tt:SourceToken>VS{token[1:-1]}</tt:SourceToken>"
        '<tt:Bounds x="0" y="0" width="1920" height="1080"/>'
        "</tt:VideoSourceConfiguration></trt:Profiles>"
        for token in profile_tokens(one)
    )
    return f"<trt:GetProfilesResponse>{made}</trt:GetProfilesResponse>"


def profiles2(one: Nature) -> str:
    made = "".join(
        f'<tr2:Profiles token="{token}" fixed="true"><tr2:Name>{token}</tr2:Name><tr2:Configurations>'
        f'<tr2:VideoSource token="VSC{token[1:-1]}"><tt:Name>Lens {token[1:-1]}</tt:Name>'
        f"<tt:UseCount>2</tt:UseCount><tt:SourceToken>VS{token[1:-1]}</tt:SourceToken>"
        '<tt:Bounds x="0" y="0" width="1920" height="1080"/>'
        "</tr2:VideoSource></tr2:Configurations></tr2:Profiles>"
        for token in profile_tokens(one)
    )
    return f"<tr2:GetProfilesResponse>{made}</tr2:GetProfilesResponse>"


def uri(prefix: str, name: str, address: str) -> str:
    if prefix == "tr2":
        return f"<tr2:{name}Response><tr2:Uri>{escape(address)}</tr2:Uri></tr2:{name}Response>"
    return (
        f"<trt:{name}Response><trt:MediaUri><tt:Uri>{escape(address)}</tt:Uri>"
        "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>true</tt:InvalidAfterReboot>"
        f"<tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:{name}Response>"
    )


def subscribed(address: str, parameter: str, now: datetime, end: datetime) -> str:
    """`parameter`: what every request to the subscription has to repeat as a header; empty for none."""
    held = f'<acme:SubscriptionId xmlns:acme="http://www.example.net/acme">{parameter}</acme:SubscriptionId>'
    parameters = f"<wsa5:ReferenceParameters>{held}</wsa5:ReferenceParameters>" if parameter else ""
    return (
        "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
        f"<wsa5:Address>{address}</wsa5:Address>{parameters}</tev:SubscriptionReference>"
        f"<wsnt:CurrentTime>{_text(now)}</wsnt:CurrentTime><wsnt:TerminationTime>{_text(end)}</wsnt:TerminationTime>"
        "</tev:CreatePullPointSubscriptionResponse>"
    )


def renewed(now: datetime, end: datetime) -> str:
    return (
        f"<wsnt:RenewResponse><wsnt:TerminationTime>{_text(end)}</wsnt:TerminationTime>"
        f"<wsnt:CurrentTime>{_text(now)}</wsnt:CurrentTime></wsnt:RenewResponse>"
    )


def pulled(messages: list[Message], now: datetime, end: datetime) -> str:
    return (
        f"<tev:PullMessagesResponse><tev:CurrentTime>{_text(now)}</tev:CurrentTime>"
        f"<tev:TerminationTime>{_text(end)}</tev:TerminationTime>{''.join(map(notification, messages))}"
        "</tev:PullMessagesResponse>"
    )


def notification(one: Message) -> str:
    return (
        '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">'
        f"{one.topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{_text(one.at)}" PropertyOperation="{one.operation}">'
        f"<tt:Source>{_items(one.source)}</tt:Source><tt:Data>{_items(one.data)}</tt:Data>"
        "</tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def _items(items: tuple[tuple[str, str], ...]) -> str:
    return "".join(f'<tt:SimpleItem Name="{escape(name)}" Value="{escape(value)}"/>' for name, value in items)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
