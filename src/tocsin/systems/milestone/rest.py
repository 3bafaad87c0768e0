"""The Configuration API: one question after the other at the allowed concurrency (connectors.md 4.4)."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tocsin.engine.systems import LoginRefused, ProtocolFault, SystemFault, Unreachable
from tocsin.systems.milestone.answers import TooMany, fault_of, json_of, said
from tocsin.systems.milestone.paging import Listing, all_pages, id_written
from tocsin.systems.milestone.resources import ItemT, Unread, listed, page_of
from tocsin.systems.milestone.session import Session
from tocsin.transports.contract import LinkBroken, NoAnswer, TransportError
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

ROOT = "/api/rest/v1/"
AT_ONCE = 4
PAUSES_S = (0.3, 1.5)
"""Before the second and the third try of a request."""
LONGEST_WAIT_S = 30.0


class Slow(Unreachable):
    """Connected, but no answer in time."""


class Rest:
    """Reads resources. `timeout_s` is for one object, `list_timeout_s` for a listing, which may take long."""

    def __init__(self, server: WebServer, session: Session, timeout_s: float, list_timeout_s: float) -> None:
        self._server = server
        self._session = session
        self._timeout_s = timeout_s
        self._list_timeout_s = list_timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def one(self, path: str) -> Any:
        """The JSON at this path, over no turn of others: whoever asks for many limits them. Raises SystemFault."""
        return json_of(await self._tried(path, self._timeout_s), path)

    async def listing(self, path: str, query: str = "disabled") -> Listing[dict[str, Any]]:
        """Every item of a collection, disabled ones too. Raises LoginRefused only."""

        async def page(number: int, size: int) -> list[dict[str, Any] | None]:
            items = listed(json_of(await self._page(path, query, number, size), path), path)
            return [item if isinstance(item, dict) else None for item in items]

        return await all_pages(page, id_written)

    async def items(self, path: str, form: type[ItemT]) -> Listing[ItemT | Unread]:
        """The same, each as what it is. Raises LoginRefused only."""

        async def page(number: int, size: int) -> Sequence[ItemT | Unread | None]:
            return page_of(await self._page(path, "disabled", number, size), path, form)

        return await all_pages(page, lambda item: item.id)

    async def _page(self, path: str, query: str, number: int, size: int) -> HttpAnswer:
        given = f"{query}&" if query else ""
        async with self._turns:
            return await self._tried(f"{path}?{given}page={number}&size={size}", self._list_timeout_s)

    async def answer(self, path: str) -> HttpAnswer:
        """One try, whatever the status. Raises SystemFault."""
        return await self._asked(path, self._timeout_s)

    async def post(self, path: str, body: bytes) -> HttpAnswer:
        """Once, whatever the status: what an answer got lost of may have been done. Raises SystemFault."""
        return await self._asked(path, self._timeout_s, "POST", body)

    async def _tried(self, path: str, timeout_s: float) -> HttpAnswer:
        what, longest_s = path.partition("?")[0], 2 * timeout_s
        for pause_s in (*PAUSES_S, None):
            try:
                answer = await self._asked(path, timeout_s)
                if answer.status == 200:
                    return answer
                fault, wait_s = fault_of(answer, what), _asked_wait(answer)
            except Unreachable as error:
                fault, wait_s = error, 0.0
                timeout_s = longest_s if isinstance(error, Slow) else timeout_s
            if pause_s is None or not _passing(fault):
                raise fault
            await asyncio.sleep(max(pause_s, wait_s))
        raise ProtocolFault(f"{what} was not read")

    async def _asked(self, path: str, timeout_s: float, method: str = "GET", body: bytes = b"") -> HttpAnswer:
        """Asked again, once, with a new token if the server does not take the one we have."""
        token = await self._session.token()
        answer = await self._sent(path, token, timeout_s, method, body)
        if answer.status != 401:
            return answer
        answer = await self._sent(path, await self._session.token(token), timeout_s, method, body)
        if answer.status == 401:
            raise LoginRefused(
                "the login is accepted, but the API Gateway refuses its token (401); check that url and management_url "
                "belong to the same XProtect, and the clocks of both servers"
            )
        return answer

    async def _sent(self, path: str, token: str, timeout_s: float, method: str, body: bytes) -> HttpAnswer:
        headers = [("Authorization", f"Bearer {token}"), ("Accept", "application/json")]
        headers += [("Content-Type", "application/json")] if body else []
        try:
            return await self._server.ask(method, ROOT + path, headers, body, timeout_s)
        except NoAnswer as error:
            raise Slow(said(error)) from error
        except (LinkBroken, TransportError) as error:
            raise Unreachable(said(error)) from error


def _passing(fault: SystemFault) -> bool:
    return isinstance(fault, Unreachable | TooMany | ProtocolFault)


def _asked_wait(answer: HttpAnswer) -> float:
    """Retry-After in seconds, bounded."""
    text = answer.header("Retry-After")
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdecimal() and len(text) < 6 else 0.0
