"""`[api]` and `[console]`: where people and programs reach the gateway, and who may do what."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tocsin.api.proxies import Proxies
from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.links import AllowedPeer
from tocsin.config.listening import Listen, is_loopback

Scope = Literal["read", "events:write", "commands", "devices:write", "operate", "control", "admin"]
"""What a token or a person may do (interface.md 3); `admin` includes all others."""

PersonName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,39}$")]
"""Names of tokens and people: they appear as an event's source and in the audit log."""


class ServerTls(Settings):
    """The listener's own certificate."""

    cert: str = Field(description="PEM file: the certificate, then its chain.")
    key: str = Field(description="PEM file of the certificate's key, not encrypted.")


class TokenSettings(Settings):
    """One bearer token."""

    name: PersonName = Field(description="Who uses it; becomes the source of its events.")
    token: Secret = Field(description="The token itself; 16 characters or more are advised.")
    scopes: list[Scope] = Field(description="What it may do.")
    areas: list[str] | None = Field(None, description="Only these areas and those below them; absent: all.")
    devices: list[str] | None = Field(None, description="Only these devices; absent: all.")

    @model_validator(mode="after")
    def _given(self) -> "TokenSettings":
        if not self.token.reveal():
            raise ValueError(f'the token "{self.name}" is empty')
        return self


class LimitSettings(Settings):
    """Bounds on what comes in from outside."""

    body: int = Field(12_000_000, ge=100_000, le=268_435_456, description="Bytes of one event with its photos.")
    batch: int = Field(32_000_000, ge=100_000, le=268_435_456, description="Bytes of one NDJSON request.")
    lines: int = Field(10_000, ge=1, le=10_000, description="Events of one NDJSON request.")
    photos: int = Field(20, ge=0, le=100, description="Photos of one event.")
    streams: int = Field(100, ge=0, le=10_000, description="Readers of the live stream at once.")
    polls: int = Field(500, ge=1, le=10_000, description="Devices that wait for commands at once (long poll).")
    failed_tokens: int = Field(
        30, ge=1, le=10_000, description="Unknown tokens per minute before an address must wait."
    )
    links: int = Field(600, ge=10, le=100_000, description="Requests for events' links per minute and address.")


class ApiSettings(Settings):
    """The REST interface."""

    listen: Listen = Field("127.0.0.1:8080", description="Address and port of the API and the console.")
    tls: ServerTls | None = Field(None, description="Certificate and key; absent: plain HTTP, on loopback only.")
    insecure: bool = Field(False, description="true allows plain HTTP on other addresses than loopback.")
    trusted_proxies: list[AllowedPeer] = Field(
        [],
        description="Addresses and networks of reverse proxies whose X-Forwarded-For is believed; for [control] too.",
    )
    tokens: list[TokenSettings] = Field([], description="Who may use the API.")
    limits: LimitSettings = Field(LimitSettings(), description="Bounds on what comes in.")

    @property
    def proxies(self) -> Proxies:
        return tuple(ip_network(each, strict=False) for each in self.trusted_proxies)

    @model_validator(mode="after")
    def _plain_stays_home(self) -> "ApiSettings":
        if self.tls is None and not self.insecure and not is_loopback(self.listen):
            raise ValueError(
                f"plain HTTP on {self.listen} would send tokens readably over the network: give tls = "
                '{ cert = "…", key = "…" }, listen on 127.0.0.1, or say insecure = true'
            )
        return self


class UserSettings(Settings):
    """One person at the console."""

    name: PersonName = Field(description="Name to log in with.")
    password_hash: Secret = Field(description="Made by `tocsin password`.")
    scopes: list[Scope] = Field(["read"], description="What this person may do.")
    areas: list[str] | None = Field(None, description="Only these areas and those below them; absent: all.")

    @model_validator(mode="after")
    def _is_a_hash(self) -> "UserSettings":
        if not self.password_hash.reveal().startswith("$argon2"):
            raise ValueError(f'the password_hash of "{self.name}" is no Argon2 hash: make one with `tocsin password`')
        return self


class ConsoleSettings(Settings):
    """The web pages."""

    users: list[UserSettings] = Field([], description="Who may log in; none: the console answers on loopback only.")
    session: Duration = Field(43200.0, description="Log out after this long without use.")
