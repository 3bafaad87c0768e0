"""What an FTP server is told and asked: options, targets, the files of one set, and every refusal as its own error."""

import ftplib
import ssl
from typing import Literal

from msgspec import Struct

from tocsin.protocols.text import one_line
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TlsOptions, TransportError, Unreachable
from tocsin.transports.tls import explain

FtpMode = Literal["required", "opportunistic", "implicit", "off"]
Log = list[str]
"""Collects the dialogue, one line per command and answer; passwords never reach it."""


class FtpOptions(Struct, frozen=True):
    """How to reach and enter the servers, which are mirrors: one login for all (stations.md 8.2).

    `mode`: `required` asks for TLS by AUTH TLS or sends nothing, `opportunistic` takes it if it is offered, `implicit`
    speaks TLS from the first byte, `off` not at all. `timeout_s` is the longest wait for any answer; `connections` are
    open at once; `keep` leaves them open between sets, asked for a sign of life after `noop_s`.
    """

    user: str
    password: str
    mode: FtpMode = "required"
    tls: TlsOptions = TlsOptions()
    timeout_s: float = 15.0
    connect_timeout_s: float = 5.0
    connections: int = 4
    keep: bool = True
    noop_s: float = 60.0

    def __repr__(self) -> str:
        return f"FtpOptions(mode={self.mode!r}, …)"


class Target(Struct, frozen=True):
    """One address of a configured host; `address` is its IP, empty while none is known."""

    endpoint: Endpoint
    address: str = ""

    def __str__(self) -> str:
        return str(self.endpoint) if self.address in ("", self.endpoint.host) else f"{self.endpoint} ({self.address})"


class File(Struct, frozen=True):
    """`path` has folders and name joined by `/`; without a leading one it starts where the login leads."""

    path: str
    data: bytes

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0] or ("/" if self.path.startswith("/") else "")

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class FileSet(Struct, frozen=True):
    """Files that belong together: they go to one host in this order, so the last one completes the set.

    `create_folders`: make missing ones. `rename`: upload under a temporary name and rename at the end.
    """

    files: tuple[File, ...]
    create_folders: bool = False
    rename: bool = True

    @property
    def size(self) -> int:
        return sum(len(file.data) for file in self.files)


class LoginRefused(Unreachable):
    """The server can be reached but does not let us in."""


class PutOff(TransportError):
    """The server does not take the file now (4yz, or no data connection); later it may."""


class DiskFull(PutOff):
    """The server has no room left (452, 552)."""


class UploadRefused(TransportError):
    """The server will not take the file: path or permission (550, 553 and other 5yz)."""


_DISK_FULL = frozenset({"452", "552"})
_LOGIN = frozenset({"530", "532", "430", "331", "332"})
_LINK_ENDS = frozenset({"421"})
_DATA_CONNECTION = frozenset({"425", "426", "522"})
_HINTS = {
    "425": ". The server could not open the data connection: check its passive ports and the firewall",
    "522": ". The server did not accept the TLS session on the data connection",
    "550": ". Check that the folder exists and that this login may write there",
    "553": ". Check that the server allows this file name and that this login may write there",
}


def opening_failure(error: Exception, target: Target) -> Unreachable:
    """Why a connection could not be opened; a certificate is explained by who looks at it."""
    if isinstance(error, Unreachable):
        return error
    if isinstance(error, ftplib.Error):
        text = one_line(str(error))
        return Unreachable(f"{target} turns us away: {text}")
    if isinstance(error, ValueError) and not isinstance(error, OSError):  # it may quote the password
        return Unreachable(f"{target} cannot be entered with these settings: look at password and tls.server_name")
    if isinstance(error, TimeoutError):
        return Unreachable(explain(error, target.endpoint))
    if isinstance(error, EOFError):
        return Unreachable(
            f"{target} cut the connection before the login. It may expect TLS from the first byte (tls.mode = "
            '"implicit"), or allow only known addresses'
        )
    return Unreachable(explain(error, target.endpoint))


def failure(error: Exception, target: Target) -> TransportError:
    """Why a set was not stored, by who must wait."""
    if isinstance(error, TransportError):
        return error
    if isinstance(error, ftplib.Error):
        return _answered(one_line(str(error)), target)
    if isinstance(error, TimeoutError):
        return NoAnswer(f"{target} stayed silent in the middle of the upload")
    if isinstance(error, EOFError):
        return LinkBroken(f"{target} cut the connection in the middle of the upload")
    if isinstance(error, ssl.SSLError):
        return PutOff(f"{target}: no TLS on the data connection: {explain(error, target.endpoint)}")
    if isinstance(error, OSError):
        return LinkBroken(f"The connection to {target} failed in the middle of the upload: {error.strerror or error}")
    return UploadRefused(f"{target} cannot be told this file name: {one_line(str(error))}")


def _answered(text: str, target: Target) -> TransportError:
    code = text[:3]
    said = f"{target} answers {text.rstrip('.')}{_HINTS.get(code, '')}"
    if code in _LINK_ENDS:
        return LinkBroken(said)
    if code in _DISK_FULL:
        return DiskFull(f"{said}. Its disk or quota is full: have the station make room")
    if code in _LOGIN:
        return LoginRefused(said)
    if code[:1] == "5" and code not in _DATA_CONNECTION:
        return UploadRefused(said)
    return PutOff(said)
