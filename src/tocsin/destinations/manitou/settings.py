"""What a `[[destinations]]` table of type manitou may say."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, wrong_setting
from tocsin.config.hosts import HostPort
from tocsin.config.listening import split_listen
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.escaping import Ready
from tocsin.destinations.manitou.packets import KEYS, PACKETS, Packet, PacketName
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.rehearsal import no_xml, tried
from tocsin.destinations.settings import DestinationSettings, TlsSettings, require_kinds
from tocsin.destinations.template_settings import in_file
from tocsin.destinations.templates import Template
from tocsin.model.event import Address
from tocsin.protocols.manitou import Framing, Pattern, pattern
from tocsin.transports.contract import Endpoint


def _pattern(text: str) -> str:
    pattern(text)
    return text


def _heartbeat(text: str) -> str:
    if not (0 < len(text) <= 2000 and text.isprintable()):
        raise ValueError("a heartbeat is one printable line")
    return text


def _off(value: object) -> object:
    return None if value == "off" else value


_NUMBER = 4711
_PICTURES = "<?pictures?>"
Account = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,32}$")]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,16}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,10}$")]
Match = Annotated[str, AfterValidator(_pattern)]


class ManitouSettings(DestinationSettings):
    """A Manitou XML receiver. Several `hosts` are one fallback group: an answer of any of them is enough."""

    type: Literal["manitou"] = Field("manitou", description="Type of station.")
    mode: Literal["tcp"] = Field("tcp", description="tcp: XML packets over a connection.")
    hosts: list[HostPort] = Field(min_length=1, max_length=16, description="Receivers as host:port, the first first.")
    tls: TlsSettings | None = Field(None, description="Absent: plain TCP, for a VPN.")
    account: Account | None = Field(None, description="TXID of events that bring no address of their own.")
    area: Number | None = Field(None, description="Area sent with the default account.")
    zone: Number | None = Field(None, description="Zone sent with the default account.")
    accounts: dict[Account, Account] = Field({}, description="Renames of panels' accounts.")
    packet: PacketName = Field("receivers", description="Built-in layout; both are unconfirmed.")
    packet_file: Annotated[Template | None, in_file("xml", KEYS)] = Field(
        None, description="Template of the site's own packet, instead of the built-in one."
    )
    framing: Framing | None = Field(
        None, description="How a packet ends; absent: crlf for receivers, stx-etx for observed."
    )
    ack: Match | None = Field(
        None, description='What acknowledges: text, {seq} for the number, * within a tag; "*" alone is any answer.'
    )
    nak: Match | None = Field(None, description="What refuses, written like ack.")
    ack_timeout: Duration = Field(10.0, ge=0.1, le=60, description="Wait for an answer.")
    resends: int = Field(2, ge=0, le=5, description="Repeats over one connection before the next host is tried.")
    connect_timeout: Duration = Field(5.0, ge=1, le=30, description="Wait for the connection.")
    keep: bool = Field(True, description="false: one connection per packet, as with close framing.")
    failback_after: Duration | None = Field(
        None, ge=1, description="Close a kept link to another host than the first after this long, when idle."
    )
    heartbeat_every: Annotated[Duration | None, BeforeValidator(_off)] = Field(
        30.0, description='Silence after which a heartbeat is sent, or "off".'
    )
    heartbeat: Annotated[str, AfterValidator(_heartbeat)] | None = Field(
        None, description="The heartbeat's packet, with {seq} or {account}; absent: the layout's."
    )
    codes: dict[str, Code] = Field(
        {}, description='Other event codes, up to ten characters: kind or "kind.restore" = code.'
    )
    photos: Pictures = Field(
        PictureSettings.model_validate({"as": "none"}), description='Pictures in the packet: "none", "jpg" or a table.'
    )
    binary_type_codes: dict[Literal["jpg", "avi"], Code] = Field(
        {}, description='Numbers for file types where the site wants them, such as avi = "1005".'
    )

    @field_validator("heartbeat_every")
    @classmethod
    def _in_range(cls, value: float | None) -> float | None:
        if value is not None and not 5 <= value <= 3600:
            raise ValueError('heartbeat_every lies between "5s" and "1h"; "off" switches it off')
        return value

    @field_validator("codes")
    @classmethod
    def _known(cls, codes: dict[str, str]) -> dict[str, str]:
        require_kinds(codes, restores=True)
        return codes

    @model_validator(mode="after")
    def _a_heartbeat_can_be_told(self) -> "ManitouSettings":
        if self.heartbeat_every is not None and self.account is None and "{account}" in self.heartbeat_text():
            raise ValueError('this heartbeat names an account: set account, or heartbeat_every = "off"')
        return self

    @model_validator(mode="after")
    def _can_be_acknowledged(self) -> "ManitouSettings":
        """Else every packet would be repeated for ever, or refused by its acknowledgement."""
        ack, nak = self.patterns()
        if nak.matches(ack.example(_NUMBER), _NUMBER):
            message = "fits every acknowledgement too, which would count as a refusal"
            raise wrong_setting(("nak" if self.nak else "ack",), message, "say more of what refuses, or leave nak out")
        if not ack.numbered:
            return self
        hint = 'write it into the packet, or ack without {seq}: ack = "<Ack", or "*" for any answer'
        if self._tried(_NUMBER) == self._tried(_NUMBER + 1):
            place = "packet_file" if self.packet_file else "ack"
            raise wrong_setting((place,), "no packet has its number {{ packet_id }}, and ack asks for it", hint)
        if self.heartbeat_every is not None and "{seq}" not in self.heartbeat_text():
            place = "heartbeat" if self.heartbeat else "ack"
            raise wrong_setting((place,), "no heartbeat has its number {seq}, and ack asks for it", hint)
        return self

    def _tried(self, number: int) -> tuple[str, ...]:
        template = self.packet_file or self.layout().template
        return tried(template, {"packet_id": number, "pictures": Ready(_PICTURES)}, number)

    def host_s(self) -> float:
        return self.connect_timeout + self.sends() * self.ack_timeout

    def doubts(self) -> list[Doubt]:
        texts = self._tried(_NUMBER)
        found = []
        if problem := no_xml(texts):
            found.append(Doubt(("packet_file",), f"makes no XML document: {problem}"))
        if self.wants_photos() and not any(_PICTURES in text for text in texts):
            found.append(Doubt(("packet_file",), "has no place for photos: none goes out", "{{ pictures }}"))
        return found

    def hold_s(self) -> float:
        return self.photos.wait

    def wants_photos(self) -> bool:
        return self.photos.sends_files

    def layout(self) -> Packet:
        return PACKETS[self.packet]

    def framing_used(self) -> Framing:
        return self.framing or self.layout().framing

    def keeps(self) -> bool:
        """With `close` a document has no end but its connection's."""
        return self.keep and self.framing_used() != "close"

    def sends(self) -> int:
        """How often a packet goes out over one connection."""
        return 1 if self.framing_used() == "close" else 1 + self.resends

    def heartbeat_text(self) -> str:
        return self.heartbeat or self.layout().heartbeat

    def patterns(self) -> tuple[Pattern, Pattern]:
        """What acknowledges and what refuses."""
        return pattern(self.ack or self.layout().ack), pattern(self.nak or self.layout().nak)

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(*split_listen(host)) for host in self.hosts]

    def default_address(self) -> Address | None:
        return None if self.account is None else Address(self.account, self.area, self.zone)
