"""What a `[[sources]]` table of type surgard may say."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, Settings
from tocsin.config.hosts import HostPort
from tocsin.config.links import AllowedPeer, Heartbeat, LinkTlsSettings, Mode, link_problem
from tocsin.config.listening import ListenOrNot, split_listen
from tocsin.config.supervision import Interval
from tocsin.config.zones import TimeZone
from tocsin.model.event import Address
from tocsin.sources.settings import Listening, SourceSettings, require_each_once
from tocsin.transports.contract import Endpoint, TlsOptions

Receiver = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{2}$")]
Line = Annotated[str, StringConstraints(pattern=r"^([0-9A-Z]|[0-9A-Z]{3})$")]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:@-]{0,200}$")]


class AccountSettings(Settings):
    """One site, by what stands in its records."""

    account: str = Field(pattern=r"^[0-9A-Za-z]{1,16}$", description="Account number, in quotes; zeros count.")
    receiver: Receiver | None = Field(None, description="Only in records of this receiver number, RR.")
    line: Line | None = Field(None, description="Only in records of this line, L or LLL.")
    area: str = Field("", description="The area its events belong to.")
    device: DeviceId = Field("", description="The device its events belong to.")
    supervision: Interval | None = Field(
        None, description='Its test reports must be heard this often: "25h"; absent: not supervised.'
    )
    supervision_allowance: Duration = Field(30.0, ge=0, description="Added to supervision before it counts as lost.")
    time_zone: TimeZone | None = Field(None, description="Zone of times in its SIA data; absent: they are not used.")

    @property
    def subject(self) -> str:
        """The name of this account among the others of its source."""
        return self.account if self.receiver is None and self.line is None else str(self.address())

    def address(self) -> Address:
        return Address(self.account, receiver=self.receiver, prefix=self.line)


class SurgardSourceSettings(SourceSettings):
    """A receiver's automation output: we connect to it, or it connects to us."""

    type: Literal["surgard"] = Field("surgard", description="Type of source.")
    mode: Mode = Field("connect", description="connect to the receiver, or listen for it.")
    listen: ListenOrNot = Field("", description="To listen: address and port for the receiver to connect to.")
    hosts: list[HostPort] = Field(
        [], max_length=16, description="To connect: host:port, the first first; usually 1025."
    )
    allowed: list[AllowedPeer] = Field([], description="Listening: addresses and networks that may connect.")
    tls: LinkTlsSettings | None = Field(None, description="Absent: plain TCP.")
    line_digits: Literal["auto", 1, 3] = Field("auto", description="Header RRL (1) or RRLLL (3); others are marked.")
    accounts: list[AccountSettings] = Field([], description="The sites that may report.")
    unknown_accounts: Literal["accept", "refuse"] = Field(
        "accept", description="accept: kept and marked; refuse: acknowledged, counted and not kept."
    )
    delivered_within: Duration = Field(
        2.0, ge=0.5, le=2.5, description="With delivered: the longest wait for a station; then no answer is given."
    )
    answer: Literal["byte", "letters", "none"] = Field(
        "byte", description="ACK as one byte; letters: ACK and CR LF in letters; none: listen along only."
    )
    receivers: list[Receiver] = Field([], description="Receiver numbers that are each supervised; absent: the link is.")
    heartbeat: Heartbeat = Field(
        30.0, description='How often the receiver shows life; lost after three times it; "off".'
    )
    area: str = Field("", description="The area that the receiver's own events belong to.")
    device: DeviceId = Field("", description="The device that the receiver's own events belong to.")
    connect_timeout: Duration = Field(5.0, ge=1, le=30, description="Wait for the connection.")
    max_connections: int = Field(64, ge=1, le=10_000, description="Connections at once.")

    @field_validator("heartbeat")
    @classmethod
    def _heartbeat_in_range(cls, value: float | None) -> float | None:
        if value is not None and not 1 <= value <= 3600:
            raise ValueError('heartbeat lies between "1s" and "1h"; "off" switches supervision of the link off')
        return value

    @model_validator(mode="after")
    def _one_way(self) -> "SurgardSourceSettings":
        problem = link_problem(self.mode, self.hosts, self.listen, self.allowed, self.tls)
        if problem:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _answers_what_is_delivered(self) -> "SurgardSourceSettings":
        if self.acknowledge == "delivered" and self.answer == "none":
            raise ValueError('acknowledge = "delivered" needs an answer: answer = "none" never gives one')
        return self

    @model_validator(mode="after")
    def _each_once(self) -> "SurgardSourceSettings":
        require_each_once(account.subject for account in self.accounts)
        return self

    def listening(self) -> list[Listening]:
        return [Listening(self.listen, "tcp")] if self.listen else []

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint(*split_listen(host)) for host in self.hosts]

    def connecting_tls(self) -> TlsOptions | None:
        tls = self.tls
        if tls is None:
            return None
        return TlsOptions(tls.ca_file, tls.cert, tls.key, tls.server_name, tls.pin.lower(), tls.insecure)

    def header_digits(self) -> int | None:
        return None if self.line_digits == "auto" else self.line_digits
