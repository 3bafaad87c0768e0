"""The page behind an event's link: one event without login (stations.md 1.6).

To look at only: nothing can be done here, nothing is kept in the browser, and it names no more than an operator needs
to judge the event.
"""

import contextlib
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from msgspec.structs import replace
from starlette.responses import HTMLResponse, Response

from tocsin.api.room import Room, TheRoom, caller_of
from tocsin.console.looks import render
from tocsin.console.present import icon_of, tone_of
from tocsin.engine.links import PATH, Found
from tocsin.model.event import Event
from tocsin.model.wording import headline, local_time
from tocsin.store.contract import AuditEntry, StoreUnavailable
from tocsin.telemetry.occurrences import LinkOpened

router = APIRouter(include_in_schema=False, prefix=PATH.rstrip("/"))
_STYLE = files("tocsin.console").joinpath("static/link.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; img-src 'self' data:; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_PHOTO_HEADERS = {**_HEADERS, "content-security-policy": "default-src 'none'; sandbox"}
_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "unknown": (404, "Not here", "No event belongs to this address. It may have been copied incompletely."),
    "expired": (410, "No longer available", "This link was good for a limited time, which is over."),
    "revoked": (410, "No longer available", "This link was withdrawn."),
    "too_often": (429, "Too much at once", "Too many requests came from your address. Wait a minute, then try again."),
    "unreadable": (503, "Not now", "The event cannot be read at the moment. Try again in a few seconds."),
}


@router.get("/{token}")
async def event_page(token: str, request: Request, room: TheRoom) -> Response:
    found = await _admit(token, request, room, "opened")
    return found if isinstance(found, Response) else _page("link.html", 200, **_shown(found))


@router.get("/{token}/photos/{n}")
async def event_photo(token: str, n: str, request: Request, room: TheRoom) -> Response:
    found = await _admit(token, request, room, "photo")
    if isinstance(found, Response):
        return found
    try:
        photos = await room.gateway.store.photos(found.stored.seq)
    except StoreUnavailable:
        return _refused("unreadable")
    photo = next((photo for photo in photos if str(photo.n) == n), None)
    return Response(photo.data, 200, _PHOTO_HEADERS, "image/jpeg") if photo else _refused("unknown")


async def _admit(token: str, request: Request, room: Room, asked: str) -> Found | Response:
    """What the token leads to, or the answer that says no. Who asked is on record either way, the token never."""
    peer = caller_of(request)
    if not room.links_asked.take(peer):
        return await _noted(request, room, "too_often")
    try:
        found = await room.gateway.links.find(token)
    except StoreUnavailable:
        return await _noted(request, room, "unreadable")
    if found is None:
        return await _noted(request, room, "unknown" if room.links_missed.take(peer) else "too_often")
    standing = found.link.standing
    if standing == "valid":
        await _note(request, room, asked, found.stored.event.id)
        return found
    return await _noted(request, room, standing, found.stored.event.id)


async def _noted(request: Request, room: Room, outcome: str, event_id: str = "") -> Response:
    await _note(request, room, outcome, event_id)
    return _refused(outcome)


async def _note(request: Request, room: Room, outcome: str, event_id: str) -> None:
    """In the log, the metrics and the audit; a flood is not written to the disk."""
    peer = caller_of(request)
    room.record(LinkOpened(outcome, peer, event_id))
    if outcome != "too_often":
        with contextlib.suppress(StoreUnavailable):  # who needs to see an alarm sees it; the log has it
            await room.gateway.store.audit(AuditEntry(room.now(), "link", "open link", event_id, peer, outcome))


def _refused(outcome: str) -> Response:
    status, title, text = _REFUSALS[outcome]
    response = _page("link_refused.html", status, title=title, text=text)
    if status in (429, 503):
        response.headers["retry-after"] = "60" if status == 429 else "5"
    return response


def _shown(found: Found) -> dict[str, Any]:
    event = found.stored.event
    zone = event.place.time_zone or event.zone
    at = local_time(replace(event, zone=zone))
    return {
        "event": event,
        "photos": [f"{PATH}{event.link}/photos/{n}" for n in range(1, event.photos + 1)],
        "headline": headline(event),
        "icon_name": icon_of(event),
        "tone": tone_of(event),
        "at": at,
        "zone": zone or "UTC",
        "device": event.place.name or _short_name(event),
        "until": found.link.until and found.link.until.astimezone(at.tzinfo),
    }


def _short_name(event: Event) -> str:
    """A device without a name is called what it calls itself; a panel has its account number only."""
    return event.device_id or (str(event.address) if event.address else "")


def _page(name: str, status: int, **values: Any) -> HTMLResponse:
    return HTMLResponse(render(name, style=Markup(_STYLE), **values), status, _HEADERS)  # noqa: S704 - a file of ours
