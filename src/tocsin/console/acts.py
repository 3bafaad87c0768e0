"""What can be done at the console: test, pause, resume, retry, discard, revoke a link, end a test on an area.

Every post carries the page's token.
"""

import json

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.access import demand_everywhere
from tocsin.api.deliveries import operable, try_again
from tocsin.api.on_test import may_end, visible_tests
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Room, TheRoom
from tocsin.console.looks import page
from tocsin.console.pages import link_of, one_event
from tocsin.console.present import card, chip
from tocsin.console.visitor import AnOperator, Visitor
from tocsin.store.contract import StoredEvent

router = APIRouter(include_in_schema=False)


@router.post("/destinations/{name}/{act}")
async def on_destination(name: str, act: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    demand_everywhere(visitor.rights, "a destination")
    if name not in room.gateway.names():
        raise not_found("such destination")
    said = await _act(room, name, act, visitor.rights.name)
    status = await room.gateway.destination(name)
    return _done(request, page(request, visitor, "card.html", card=card(status)), said, "/")


async def _act(room: Room, name: str, act: str, who: str) -> str:
    """What was done, in words."""
    match act:
        case "test":
            taken = await room.gateway.test(name, who)
            return f"Test event {taken.id} is on its way to {name}."
        case "pause":
            await room.gateway.pause(name, who)
            return f"{name} is paused: events are kept and wait."
        case "resume":
            await room.gateway.resume(name, who)
            return f"{name} goes on."
    raise not_found("such action")


@router.post("/deliveries/{key}/{act}")
async def on_delivery(key: str, act: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    delivery = await operable(room, visitor.rights, key)
    who = visitor.rights.name
    if act == "retry":
        done, said = await try_again(room.gateway, delivery.key, who), "is tried again"
    elif act == "discard":
        done, said = await room.gateway.discard(delivery.key, who), "was discarded"
    else:
        raise not_found("such action")
    if not done:
        raise Problem(409, f"This cannot be done: the delivery to {delivery.key.destination} is {delivery.state}.")
    now = await room.gateway.store.delivery(delivery.key) or delivery
    words = f"The delivery to {delivery.key.destination} {said}."
    return _done(request, _delivery(request, visitor, chip(now)), words, f"/events/{delivery.event_id}")


@router.post("/events/{event_id}/link/revoke")
async def on_link(event_id: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    row = await one_event(room, visitor.rights, event_id)
    if not await room.gateway.links.revoke(StoredEvent(row.seq, row.event), visitor.rights.name):
        raise Problem(409, "This cannot be done: the event has no link, or it was revoked before.")
    link = await link_of(room, row)
    fragment = page(request, visitor, "event_link.html", row=row, event=row.event, link=link)
    return _done(request, fragment, "The link is revoked: it no longer opens the event.", f"/events/{event_id}")


@router.post("/tests/{test_id}/end")
async def on_test(test_id: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    tests = visible_tests(room, visitor.rights)
    test = next((test for test in tests if test.id == test_id and may_end(room, visitor.rights, test)), None)
    if test is None:
        raise not_found("such test")
    await room.gateway.tests.end(test, visitor.rights.name)
    said = f"{test.subject} is no longer on test: alarms are real."
    return _done(request, page(request, visitor, "tests.html"), said, "/")


def _delivery(request: Request, visitor: Visitor, shown: object) -> Response:
    return page(request, visitor, "delivery.html", chip=shown)


def _done(request: Request, fragment: Response, said: str, back: str) -> Response:
    """The changed piece for htmx, with words for the toast; without script, back to the page."""
    if "hx-request" not in request.headers:
        return RedirectResponse(back, 303)
    fragment.headers["hx-trigger"] = json.dumps({"said": said})
    return fragment
