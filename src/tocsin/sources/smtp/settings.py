"""What a `[[sources]]` table of type smtp may say."""

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.listening import is_loopback
from tocsin.config.supervision import Interval
from tocsin.model.kinds import Kind, State
from tocsin.sources.settings import ListenTlsSettings, SourceSettings
from tocsin.sources.smtp.patterns import Pattern, compiled

DeviceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:@-]{1,200}$")]


def _pattern(text: str) -> str:
    compiled(text)
    return text


PatternText = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_pattern)]


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


class RuleSettings(Settings):
    """Which mails are of which device. All the patterns given must fit; the first rule that fits counts.

    In a pattern `*` stands for any text, `{device}`, `{zone}` and `{text}` for a part to keep.
    """

    to: PatternText | None = Field(None, description='Recipient: an address, its part before the @, or "{device}@*".')
    sender: PatternText | None = Field(None, description="Sender's address, as the SMTP dialogue gives it.")
    subject: PatternText | None = Field(None, description='Subject, such as "Motion at {device}".')
    line: PatternText | None = Field(None, description='A line of the text, such as "Channel: {device}".')
    number: str | None = Field(
        None, pattern=r"^[0-9]{1,6}$", description="Input1 of the alarm document in the text, where there is one."
    )
    device: DeviceName | None = Field(None, description="The device; absent: what {device} has kept.")
    area: str = Field("", description="The area of devices that are not configured.")
    kind: Kind | None = Field(None, description="Kind of these events; absent: see the source's kinds and kind.")
    state: State = Field("new", description="new, or restore where the mail says that it is over.")
    supervision: Interval | None = Field(None, description="It must mail this often; absent: not supervised.")
    supervision_allowance: Duration = Field(30.0, ge=0, description="Added to supervision before it counts as lost.")

    @model_validator(mode="after")
    def _says_something(self) -> "RuleSettings":
        if not any((self.to, self.sender, self.subject, self.line, self.number)):
            raise ValueError("a rule needs at least one of to, sender, subject, line, number")
        if self.device is None and not any("device" in pattern.holes for pattern in self.patterns().values()):
            raise ValueError("a rule names its device, or keeps it from the mail with {device} in a pattern")
        return self

    def patterns(self) -> dict[str, Pattern]:
        given = {"to": self.to, "sender": self.sender, "subject": self.subject, "line": self.line}
        return {name: compiled(text) for name, text in given.items() if text is not None}


class WordSettings(Settings):
    """A word in subject or text that tells the kind."""

    contains: str = Field(min_length=1, max_length=100, description="Text to look for, letters of either case.")
    kind: Kind = Field(description="Kind of the event then.")
    state: State = Field("new", description="new, or restore.")


class UserSettings(Settings):
    """A login for senders."""

    user: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="User name.")
    password: Secret = Field(description="Password.")


class SmtpSourceSettings(SourceSettings):
    """A mail server for alarms only: cameras and recorders that send a mail with pictures."""

    type: Literal["smtp"] = Field("smtp", description="Type of source.")
    tls: ListenTlsSettings | None = Field(None, description="Certificate; absent: no encryption is offered.")
    tls_mode: Literal["offered", "required", "implicit"] = Field(
        "offered", description="With tls: STARTTLS offered, STARTTLS required, or TLS from the first byte."
    )
    users: list[UserSettings] = Field([], max_length=1000, description="Who may log in; with users nobody else mails.")
    clear_login: bool = Field(False, description="true takes passwords on unencrypted connections too.")
    allow: list[Annotated[str, AfterValidator(_network)]] = Field(
        [], description='Networks that may connect, such as "192.0.2.0/24"; absent: all.'
    )
    rules: list[RuleSettings] = Field([], max_length=10_000, description="Which mails are of which device.")
    devices: dict[str, DeviceName] = Field(
        {}, description='Device of a kept {device}, such as "Camera 3" = "gate-cam"; others are used as they are.'
    )
    unknown: Literal["refuse", "accept"] = Field(
        "refuse", description="What becomes of mails that no rule fits: refused, or events without a device."
    )
    kind: Kind = Field("motion", description="Kind of an event that nothing tells more about.")
    kinds: list[WordSettings] = Field([], max_length=200, description="Words that tell the kind; the first counts.")
    text: Literal["subject", "text", "both"] = Field("both", description="What operators are told of the mail.")
    size: int = Field(16_000_000, ge=10_000, le=64_000_000, description="Largest mail, in bytes.")
    idle: Duration = Field(60.0, ge=5, le=600, description="Close connections that are silent for so long.")
    login_within: Duration = Field(
        60.0, ge=5, le=600, description="With users: close connections that have not logged in by then."
    )
    max_connections: int = Field(200, ge=1, le=5000, description="Connections at once.")

    @model_validator(mode="after")
    def _answered_before_it_is_closed(self) -> "SmtpSourceSettings":
        if self.acknowledge == "delivered" and self.delivered_within >= self.idle:
            raise ValueError("delivered_within must be shorter than idle: the connection would be closed unanswered")
        return self

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> "SmtpSourceSettings":
        if not is_loopback(self.listen) and not self.users and not self.allow:
            raise ValueError(
                "whoever reaches this port could raise alarms: say who may send, with allow (networks) or users"
            )
        if self.tls_mode != "offered" and self.tls is None:
            raise ValueError(f'tls_mode = "{self.tls_mode}" needs tls with a certificate')
        if self.users and self.tls is None and not self.clear_login:
            raise ValueError("passwords would travel unencrypted: give tls, or clear_login = true to allow it")
        return self

    @model_validator(mode="before")
    @classmethod
    def _rules_or_all(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.get("rules") and value.get("unknown", "refuse") == "refuse":
            raise ValueError('give rules that say which mails are of which device, or unknown = "accept"')
        return value
