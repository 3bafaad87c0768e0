"""The custody log of an evidence agent, line by line as it was written (clearance.md 14)."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import demand_everywhere
from tocsin.api.events import Cursor
from tocsin.api.room import Reader, TheRoom, answer
from tocsin.api.schema import described

router = APIRouter(tags=["evidence"])
Limit = Annotated[int, Query(ge=1, le=500)]


class CustodyLineView(Struct, frozen=True):
    """`text` is the line; `sha256` is over its bytes, and the next line carries it as `previous`."""

    number: int
    text: str
    sha256: str


class CustodyPage(Struct, frozen=True):
    """Oldest first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[CustodyLineView]
    next_cursor: str | None


TYPES: tuple[type, ...] = (CustodyLineView, CustodyPage)


@router.get("/evidence/{agent}/custody", **described("Custody log of an evidence agent", CustodyPage))
async def custody(agent: str, room: TheRoom, rights: Reader, limit: Limit = 100, cursor: Cursor = "") -> Response:
    demand_everywhere(rights, "a custody log")
    lines = await room.gateway.store.custody(agent, int(cursor or 0), limit)
    shown = [CustodyLineView(line.number, line.text, line.sha256) for line in lines]
    return answer(CustodyPage(shown, str(shown[-1].number) if len(shown) == limit else None))
