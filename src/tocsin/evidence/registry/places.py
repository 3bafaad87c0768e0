"""Several addresses of one service: the first that works is stayed with; the next is tried when it cannot be reached
(clearance.md 3.1).
"""

from collections.abc import Callable, Sequence

from tocsin.transports.contract import Unreachable
from tocsin.transports.http import HttpAnswer
from tocsin.transports.outbound import Outbound

Headers = Sequence[tuple[str, str]]


class Places:
    """Requests below addresses such as `https://host/connect`."""

    def __init__(self, addresses: Sequence[str], outbound: Outbound) -> None:
        self._addresses = [address.rstrip("/") for address in addresses]
        self._outbound = outbound
        self._used = 0

    @property
    def place(self) -> str:
        """The address in use."""
        return self._addresses[self._used]

    async def ask(self, method: str, path: str, headers: Headers, body: Callable[[str], bytes]) -> HttpAnswer:
        """`path` stands below the address, `body` is made for it. Raises TransportError, that of the last one tried."""
        for _ in self._addresses[1:]:
            try:
                return await self._ask(method, path, headers, body)
            except Unreachable:
                self._used = (self._used + 1) % len(self._addresses)
        return await self._ask(method, path, headers, body)

    async def _ask(self, method: str, path: str, headers: Headers, body: Callable[[str], bytes]) -> HttpAnswer:
        return await self._outbound.ask(method, self.place + path, headers, body(self.place))
