"""Where destinations of a type stand beside stand-ins of its stations."""

from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt
from tocsin.standins.web_service import Misbehaviour, WebService


class _Closable(Protocol):
    async def aclose(self) -> None: ...


Closable = TypeVar("Closable", bound=_Closable)


class Bench(AsyncExitStack):
    """Closes, with itself, what was made on it. `received`: what the stand-ins were told."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__()
        self.surroundings = surroundings
        self.received: list[dict[str, Any]] = []

    def closes(self, made: Closable) -> Closable:
        self.push_async_callback(made.aclose)
        return made

    async def serve(self, web: WebService, *scripted: Misbehaviour) -> int:
        """The port of a stand-in that answers so first."""
        web.scripted = list(scripted)
        return await self.closes(web).start()


def results(attempt: Attempt) -> list[str]:
    return [exchange.result for exchange in attempt.exchanges]
