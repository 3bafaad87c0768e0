"""What moves bytes, as arguments: real sockets in the gateway, scripted peers in the simulation."""

from typing import Protocol

from msgspec import Struct


class TransportError(Exception):
    """The peer cannot be reached or the link broke; the text is a sentence a technician can act on."""


class Unreachable(TransportError):
    """No connection: name not found, port closed, no answer in time, TLS refused."""


class LinkBroken(TransportError):
    """The connection ended or failed while in use."""


class NoAnswer(LinkBroken):
    """Connected, but no answer in time. The peer may have taken what was sent."""


class TlsOptions(Struct, frozen=True):
    """TLS towards a peer. Verification is on; `insecure` switches it off and is shown wherever the link is shown.

    `ca_file` holds the complete chain of a private authority, in PEM. `pin` is the SHA-256 of the peer's certificate,
    hexadecimal. `server_name` replaces the host's name in the check. `cert` and `key` are PEM files of a client
    certificate.
    """

    ca_file: str = ""
    cert: str = ""
    key: str = ""
    server_name: str = ""
    pin: str = ""
    insecure: bool = False


class Endpoint(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener(Protocol):
    """Who hears what comes in over a connection without waiting for it. Must not raise."""

    def received(self, data: bytes) -> None: ...

    def ended(self) -> None:
        """Nothing more can come; `receive` says why."""


class Connection(Protocol):
    """One stream (TCP, TLS) or one peer's datagrams (UDP)."""

    async def send(self, data: bytes) -> None:
        """Raises LinkBroken."""

    async def receive(self) -> bytes:
        """The next bytes, at most 64 KiB; empty at the end of the stream. Raises LinkBroken. May be cancelled
        without loss.
        """

    def post(self, data: bytes, listener: "Listener") -> bool:
        """Send without waiting, at the end of this turn of the loop; from now on the listener hears what comes in,
        until `quiet`. False: nothing is sent, because the connection takes nothing now, or something is still to be
        received.
        """

    def quiet(self) -> None:
        """What comes in from now on waits for `receive`."""

    def alive(self) -> bool:
        """False once the peer has closed or the link has failed."""

    async def aclose(self) -> None:
        """Close within two seconds, whatever the peer does."""


class Network(Protocol):
    """Opens connections. Resolves names anew each time (stations.md 8.3)."""

    async def connect(self, endpoint: Endpoint, tls: TlsOptions | None, timeout_s: float) -> Connection:
        """Open TCP, with TLS if given. Raises Unreachable."""

    async def datagrams(self, endpoint: Endpoint, timeout_s: float) -> Connection:
        """A connected UDP socket. Raises Unreachable."""
