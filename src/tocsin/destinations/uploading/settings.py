"""What a table may say about the FTP servers of a station."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.listening import split_listen
from tocsin.destinations.mailing.settings import Host
from tocsin.destinations.settings import TlsSettings
from tocsin.transports.contract import Endpoint
from tocsin.transports.ftp_entry import FtpMode, FtpOptions

USUAL_PORT, IMPLICIT_PORT = 21, 990
_PART = re.compile(r"(?!\.)[A-Za-z0-9._ -]{1,64}\Z")


def _path(text: str) -> str:
    """Folders joined by slashes, none beginning with a dot."""
    parts = [part for part in text.split("/") if part]
    if not all(_PART.match(part) for part in parts):
        raise ValueError('expected folders such as "/alarms" or "in/gateway": letters, digits, blanks, dots, _ and -')
    return ("/" if text.startswith("/") else "") + "/".join(parts)


def _on_one_line(password: Secret) -> Secret:
    if set(password.reveal()) & set("\r\n"):
        raise ValueError("no FTP server can be told a password of several lines")
    return password


Password = Annotated[Secret, AfterValidator(_on_one_line)]
FolderPath = Annotated[str, AfterValidator(_path)]
"""Folders on the server; without a leading slash from where the login leads."""


class FtpTlsSettings(TlsSettings):
    """Encryption towards the FTP servers (stations.md 9)."""

    mode: FtpMode = Field(
        "required",
        description="required: AUTH TLS or nothing is sent; opportunistic: AUTH TLS if offered; implicit: TLS from the "
        "first byte; off: plain, the password too.",
    )


class FtpSettings(Settings):
    """Mirrored FTP servers: the same login and folders on each (stations.md 8.2)."""

    hosts: list[Host] = Field(
        min_length=1, max_length=16, description="FTP servers, host or host:port; mirrors, used in turn."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of hosts that say none; absent: 21, with implicit TLS 990."
    )
    tls: FtpTlsSettings = Field(FtpTlsSettings(), description="Encryption.")
    user: str = Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="User to log in as.")
    password: Password = Field(description="Password of the user.")
    create_dirs: bool = Field(False, description="true: make folders that are missing on the server.")
    rename: bool = Field(True, description="Upload as name.part and rename at the end; false where that is forbidden.")
    connections: int = Field(4, ge=1, le=32, description="Connections and uploads at once.")
    keep: bool = Field(True, description="true: connections are kept, with NOOP every minute; false: one per upload.")
    timeout: Duration = Field(10.0, ge=0.1, le=120, description="The longest wait for an answer of a server.")
    connect_timeout: Duration = Field(5.0, ge=0.1, le=30, description="Wait for a connection.")

    def endpoints(self) -> list[Endpoint]:
        usual = self.port or (IMPLICIT_PORT if self.tls.mode == "implicit" else USUAL_PORT)
        return [_endpoint(host, usual) for host in self.hosts]

    def options(self) -> FtpOptions:
        return FtpOptions(
            user=self.user,
            password=self.password.reveal(),
            mode=self.tls.mode,
            tls=self.tls.options(),
            timeout_s=self.timeout,
            connect_timeout_s=self.connect_timeout,
            connections=self.connections,
            keep=self.keep,
        )


def _endpoint(host: str, usual: int) -> Endpoint:
    """A bare name or IPv6 address has no port; `Host` has been checked."""
    try:
        return Endpoint(*split_listen(host))
    except ValueError:
        return Endpoint(host, usual)
