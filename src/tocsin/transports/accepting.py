"""Connections that come to us: TCP or TLS, from allowed addresses only."""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Sequence

from tocsin.transports.contract import Connection, Endpoint
from tocsin.transports.sockets import Stream

HANDSHAKE_DEADLINE_S = 10.0
BACKLOG = 64

Arrived = Callable[[Connection, Endpoint], None]
"""Takes a connection, TLS already done, and its peer."""


async def accept(
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    allowed: Sequence[str],
    arrived: Arrived,
    refused: Callable[[Endpoint], None],
) -> asyncio.Server:
    """Listen until the server is closed. `allowed` are addresses and networks, empty for all. Raises OSError."""
    networks = [ipaddress.ip_network(each, strict=False) for each in allowed]
    return await asyncio.get_running_loop().create_server(
        lambda: _Accepted(networks, arrived, refused),
        host,
        port,
        backlog=BACKLOG,
        ssl=tls,
        ssl_handshake_timeout=HANDSHAKE_DEADLINE_S if tls else None,
    )


class _Accepted(Stream):
    def __init__(
        self,
        networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
        arrived: Arrived,
        refused: Callable[[Endpoint], None],
    ) -> None:
        super().__init__(Endpoint("", 0))
        self._networks = networks
        self._tell_arrived = arrived
        self._tell_refused = refused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        name = transport.get_extra_info("peername") or ("", 0)
        self.endpoint = Endpoint(str(name[0]), int(name[1]))
        if self._networks and not self._is_allowed(self.endpoint.host):
            self._transport.abort()
            self._tell_refused(self.endpoint)
        else:
            self.keep_alive()
            self._tell_arrived(self, self.endpoint)

    def _is_allowed(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)
