"""What a `[[destinations]]` table of any mail type may say about its mail server."""

import ipaddress
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from tocsin.config.fields import Duration, Secret, wrong_setting
from tocsin.config.hosts import checked_host
from tocsin.config.listening import split_listen
from tocsin.destinations.mailing.recipients import is_mail_address
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.transports.contract import Endpoint
from tocsin.transports.smtp_entry import SmtpOptions, TlsMode

IMPLICIT_PORT, SUBMISSION_PORT, RELAY_PORT = 465, 587, 25


def _mail_address(text: str) -> str:
    if not is_mail_address(text):
        raise ValueError("expected a plain mail address, such as guard@example.net")
    return text


def _is_ipv6(text: str) -> bool:
    return _family(text) == 6


def _host(text: str) -> str:
    host, port = (text, None) if ":" not in text or _is_ipv6(text) else split_listen(text)
    if port == 0:
        raise ValueError("nothing listens on port 0: leave it out for the usual one, or give the station's")
    checked_host(host)
    return text


def _family(host: str) -> int | None:
    """4 or 6; None for a name, which may have both."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def _source(text: str) -> str:
    if text:
        ipaddress.ip_address(text)
    return text


MailAddress = Annotated[str, AfterValidator(_mail_address)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:\[\]-]{1,260}$"), AfterValidator(_host)]


class MailTlsSettings(TlsSettings):
    """Encryption towards the mail server (stations.md 7.7)."""

    mode: TlsMode = Field(
        "required",
        description="required: STARTTLS or nothing is sent; opportunistic: STARTTLS if offered; implicit: TLS from the "
        "first byte; off: plain.",
    )


class MailSettings(DestinationSettings):
    """A mail server, reached directly and never by MX look-up (receivers.md 1.3).

    `PORTS` are the usual ports by `tls.mode`; a mode that is not named has 587.
    """

    PORTS: ClassVar[dict[TlsMode, int]] = {"implicit": IMPLICIT_PORT, "off": RELAY_PORT}

    hosts: list[Host] = Field(
        min_length=1, max_length=8, description="Mail servers, host or host:port, the first first."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of hosts that say none; absent: 587, with implicit TLS 465, without 25."
    )
    tls: MailTlsSettings = Field(MailTlsSettings(), description="Encryption.")
    user: str | None = Field(None, pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="User to log in as.")
    password: Secret | None = Field(None, description="Password of the user.")
    clear_login: bool = Field(False, description="true allows the password on an unencrypted connection.")
    sender: MailAddress | None = Field(None, description="Address the mail comes from.")
    timeout: Duration = Field(20.0, ge=0.1, le=120, description="Connecting with login; and once more for the message.")
    idle: Duration = Field(10.0, ge=0.1, le=60, description="A connection without work is closed after this long.")
    source_address: Annotated[str, AfterValidator(_source)] = Field(
        "", description="Own IP address to connect from, where the server knows its clients by address."
    )
    local_name: str = Field(
        "", pattern=r"^[A-Za-z0-9.-]{0,200}$", description="Name to say in EHLO; absent: our address."
    )

    @model_validator(mode="after")
    def _one_family(self) -> "MailSettings":
        """From an address of one family none of the other can be reached."""
        families = {_family(endpoint.host) for endpoint in self.endpoints()}
        if self.source_address and not families & {None, _family(self.source_address)}:
            hint = "give this machine's own address of the family that hosts are of, or leave it out"
            raise wrong_setting(("source_address",), "no connection leads from it to any of hosts", hint)
        return self

    @model_validator(mode="after")
    def _login(self) -> "MailSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or neither")
        if self.user and self.tls.mode == "off" and not self.clear_login:
            raise ValueError("the password would travel unencrypted: set tls.mode, or clear_login = true to allow it")
        return self

    def host_s(self) -> float:
        return 2 * self.timeout

    def endpoints(self) -> list[Endpoint]:
        port = self.port or self.PORTS.get(self.tls.mode, SUBMISSION_PORT)
        return [
            Endpoint(*split_listen(host)) if ":" in host and not _is_ipv6(host) else Endpoint(host, port)
            for host in self.hosts
        ]

    def options(self) -> SmtpOptions:
        return SmtpOptions(
            mode=self.tls.mode,
            tls=self.tls.options(),
            user=self.user or "",
            password=self.password.reveal() if self.password else "",
            clear_login=self.clear_login,
            timeout_s=self.timeout,
            idle_s=self.idle,
            source_address=self.source_address,
            local_name=self.local_name,
        )
