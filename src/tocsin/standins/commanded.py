"""The commanded side of a stand-in device: fetches its orders by long poll, carries them out, says how they ended."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from tocsin.standins.armed import ArmedDevices

Out = Callable[[dict[str, Any]], None]
WAIT_S = 30.0
PAUSE_S = 2.0
_LARGEST = 1_000_000


async def obey(
    url: str,
    out: Out,
    devices: Sequence[str],
    armed: ArmedDevices,
    token: str = "",
    tls: ssl.SSLContext | None = None,
    refuse: str = "",
) -> None:
    """Until cancelled. `out` gets one dict per order carried out; `refuse`: fail every order with these words."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True, limit=0)
    timeout = aiohttp.ClientTimeout(total=WAIT_S + 10)
    async with (
        aiohttp.ClientSession(f"{url.rstrip('/')}/", headers=headers, connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as group,
    ):
        for device in devices:
            group.create_task(_Commanded(session, device, armed, out, refuse).run())


class _Commanded:
    """One device. An order that came twice is carried out once, and answered each time."""

    def __init__(self, session: aiohttp.ClientSession, device: str, armed: ArmedDevices, out: Out, refuse: str) -> None:
        self._session = session
        self._device = device
        self._armed = armed
        self._out = out
        self._refuse = refuse
        self._done: dict[str, dict[str, str]] = {}

    async def run(self) -> None:
        while True:
            try:
                for order in await self._fetched():
                    await self._carry_out(order)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                self._out({"device": self._device, "trouble": str(error) or "no answer in time"})
                await asyncio.sleep(PAUSE_S)

    async def _fetched(self) -> list[dict[str, Any]]:
        found = await self._call("GET", f"api/v1/devices/{self._device}/commands?wait={WAIT_S:g}")
        return list(found["items"])

    async def _carry_out(self, order: dict[str, Any]) -> None:
        result = self._done.get(order["id"])
        if result is None:
            result = self._done[order["id"]] = self._do(order)
        answer = await self._call("POST", f"api/v1/commands/{order['id']}/result", result)
        what = {
            name: order[name] for name in ("id", "order", "audio", "duration_s", "until") if order[name] is not None
        }
        self._out({"device": self._device, **what, **result, "known_as": answer["state"]})

    def _do(self, order: dict[str, Any]) -> dict[str, str]:
        if self._refuse:
            return {"state": "failed", "text": self._refuse}
        match order["order"]:
            case "siren":
                text = f"sounding {order['audio'] or 'the siren'} for {order['duration_s'] or 60} s"
            case "stop_siren":
                text = "silent"
            case "arm":
                self._armed.arm(self._device)
                text = "armed"
            case _:
                self._armed.disarm(self._device, order["until"])
                text = "disarmed"
        return {"state": "confirmed", "text": text}

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        """Raises ClientError for a refusal, ValueError for no JSON."""
        async with self._session.request(method, path, json=body, allow_redirects=False) as response:
            answer = await response.content.read(_LARGEST)
            if response.status != 200:
                words = answer[:300].decode("utf-8", "replace")
                raise aiohttp.ClientError(f"{method} {path}: {response.status} {words}")
            return msgspec.json.decode(answer)
