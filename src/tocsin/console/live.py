"""What changes while a page is open: gathered for a moment, then sent as ready pieces of the page."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.destinations import visible_statuses
from tocsin.api.events import Cursor, Word
from tocsin.api.room import Room, TheRoom
from tocsin.api.sse import HEARTBEAT, beating, frame, streaming
from tocsin.console.looks import render
from tocsin.console.on_test import banners
from tocsin.console.pages import rows_of, summary_of, systems_of, wanted_events, with_deliveries
from tocsin.console.present import Row, card, chip
from tocsin.console.visitor import AVisitor, Visitor
from tocsin.engine.hub import Change
from tocsin.model.delivery import DeliveryKey
from tocsin.store.contract import EventFilter, StoredEvent

router = APIRouter(include_in_schema=False)
SETTLE_S = 0.2
LONGEST_GATHERING_S = 0.6
MOST_ROWS = 50
MOST_CHIPS = 300


class Shown(Struct, frozen=True):
    """What a page was made with: the seq of the newest event of its list, or of the one event it is about."""

    newest: int | None = None
    event: int | None = None


class Gathered:
    """What changed since the last time something was sent; `lost` when it is too much to send piece by piece."""

    def __init__(self) -> None:
        self.events: dict[str, bool] = {}
        self.deliveries: dict[str, None] = {}
        self.destinations: set[str] = set()
        self.commands = False
        self.tests = False
        self.systems = False
        self.evidence = False
        self.lost = False

    def __bool__(self) -> bool:
        beside = self.commands or self.tests or self.systems or self.evidence or self.lost
        return bool(self.events or self.deliveries or self.destinations or beside)

    def add(self, change: Change) -> None:
        match change.topic:
            case "event":
                fresh = not change.data.get("amended", False)
                self.events[change.id] = self.events.get(change.id, False) or fresh
                self.destinations.update(change.data.get("destinations", ()))
                self.systems = self.systems or "system" in change.data
            case "delivery":
                self.deliveries[change.id] = None
                self.destinations.add(str(change.data.get("destination", "")))
            case "destination":
                self.destinations.add(change.id)
            case "command":
                self.commands = True
            case "run" | "system":
                self.systems = True
            case "agent" | "job":
                self.evidence = True
            case "test":
                self.tests = True
            case "missed":
                self.lost = True
        self.lost = self.lost or len(self.events) > MOST_ROWS or len(self.deliveries) > MOST_CHIPS


@router.get("/live")
async def live(
    room: TheRoom,
    visitor: AVisitor,
    device_id: Word = "",
    area: Word = "",
    kind: Word = "",
    newest: Cursor = "",
    event: Cursor = "",
) -> Response:
    """`newest`: the newest event a list was made with. `event`: the one a page is about."""
    room.streams.check()
    wanted = wanted_events(room, visitor.rights, device_id, area, kind)
    shown = Shown(int(newest) if newest else None, int(event) if event else None)
    return streaming(_pieces(room, visitor, wanted, shown))


async def _pieces(room: Room, visitor: Visitor, wanted: EventFilter, shown: Shown) -> AsyncGenerator[bytes, None]:
    with room.streams.counted():
        async with aclosing(room.gateway.hub.subscribe()) as changes:
            yield frame("hello", "")
            for piece in await _show(room, visitor, wanted, await _meanwhile(room, wanted, shown)):
                yield piece
            gathered, since = Gathered(), room.gateway.clock.monotonic()
            async for change in beating(changes, SETTLE_S, room.closing):
                now = room.gateway.clock.monotonic()
                if change is not None:
                    since = since if gathered else now
                    gathered.add(change)
                if gathered and (change is None or now - since > LONGEST_GATHERING_S):
                    for piece in await _show(room, visitor, wanted, gathered):
                        yield piece
                    gathered, since = Gathered(), now
                elif change is None and now - since > room.limits.heartbeat_s:
                    since = now
                    yield HEARTBEAT


async def _meanwhile(room: Room, wanted: EventFilter, shown: Shown) -> Gathered:
    """Whatever may have changed between the making of a page and its stream, which hears of later changes only."""
    gathered = Gathered()
    gathered.commands = gathered.tests = gathered.systems = gathered.evidence = True
    gathered.destinations.update(room.gateway.names())
    if shown.newest is not None:
        rows, _ = await rows_of(room, wanted)
        gathered.events = {row.event.id: row.seq > shown.newest for row in rows}
        gathered.lost = len(rows) == wanted.limit and rows[-1].seq > shown.newest
    if shown.event is not None:
        deliveries = (await room.gateway.store.deliveries_of([shown.event])).get(shown.event, ())
        gathered.deliveries = dict.fromkeys(str(one.key) for one in deliveries)
    return gathered


async def _show(room: Room, visitor: Visitor, wanted: EventFilter, gathered: Gathered) -> list[bytes]:
    if gathered.lost:
        return [frame("refresh", "")]
    fresh, amended = await _events(room, visitor.rights, wanted, gathered)
    pieces = [frame("commands", "")] if gathered.commands else []
    pieces += [frame("systems", "")] if gathered.systems else []
    pieces += [frame("evidence", "")] if gathered.evidence else []
    if fresh:
        pieces.append(frame("events", "".join(render("row.html", row=one, fresh=True) for one in fresh)))
    updates = [render("row.html", row=one, fresh=False) for one in amended]
    updates += await _chips(room, visitor, gathered)
    updates += await _cards(room, visitor, gathered)
    if gathered.systems and not visitor.rights.narrowed:
        updates.append(render("sources.html", systems=systems_of(room, visitor.rights)))
    if gathered.tests:
        updates.append(render("tests.html", tests=banners(room, visitor.rights), visitor=visitor))
    pieces.append(frame("update", "".join(updates)))
    return pieces


async def _events(room: Room, rights: Rights, wanted: EventFilter, gathered: Gathered) -> tuple[list[Row], list[Row]]:
    """Rows of new events, newest first, and of amended ones."""
    found = [await room.gateway.store.event(event_id) for event_id in gathered.events]
    shown = [one for one in found if one is not None and _shown(room, rights, wanted, one)]
    rows = await with_deliveries(room, sorted(shown, key=lambda one: -one.seq))
    fresh = [one for one in rows if gathered.events.get(one.event.id)]
    return fresh, [one for one in rows if not gathered.events.get(one.event.id)]


def _shown(room: Room, rights: Rights, wanted: EventFilter, stored: StoredEvent) -> bool:
    event = stored.event
    asked: Sequence[tuple[str, str]] = (
        (wanted.device_id, event.device_id),
        (wanted.area, event.place.area),
        (wanted.kind, event.kind),
    )
    return rights.see(room.gateway.devices.areas, event) and all(not want or want == has for want, has in asked)


async def _chips(room: Room, visitor: Visitor, gathered: Gathered) -> list[str]:
    """Chips and detail lines; the page takes those it shows. Narrowed rights see only their events' ones."""
    pieces = []
    for key in gathered.deliveries:
        delivery = await room.gateway.store.delivery(DeliveryKey.parse(key))
        if delivery is None or not await _may_see(room, visitor.rights, delivery.event_id):
            continue
        shown = chip(delivery)
        pieces.append(render("chip.html", chip=shown))
        pieces.append(render("delivery.html", chip=shown, visitor=visitor))
    return pieces


async def _may_see(room: Room, rights: Rights, event_id: str) -> bool:
    if not rights.narrowed:
        return True
    stored = await room.gateway.store.event(event_id)
    return stored is not None and rights.see(room.gateway.devices.areas, stored.event)


async def _cards(room: Room, visitor: Visitor, gathered: Gathered) -> list[str]:
    statuses = await visible_statuses(room, visitor.rights)
    changed = [card(status) for status in statuses if status.name in gathered.destinations]
    overall = await summary_of(room, visitor.rights, statuses)
    return [
        *(render("card.html", card=one, visitor=visitor) for one in changed),
        render("summary.html", summary=overall),
        render("overall.html", summary=overall),
    ]
