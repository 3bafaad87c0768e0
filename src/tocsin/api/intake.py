"""`POST /events`: JSON, multipart or NDJSON in; 202 when it is on disk (interface.md 4). The hot path."""

from collections.abc import Iterator, Sequence

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import JSON, MULTIPART, NDJSON, Part, content_type, decode, explain, parts_of
from tocsin.api.problems import Problem, unavailable
from tocsin.api.room import Room, Sender, TheRoom, answer
from tocsin.api.schema import EVENT_BODIES, described, json_of
from tocsin.api.views import BulkView, LineRefused, TakenView
from tocsin.engine.contracts import IntakeClosed, PhotoIn, Refused, Submission, Taken
from tocsin.engine.submission import EventIn, submission
from tocsin.store.contract import StoreUnavailable

router = APIRouter(tags=["events"])
_events = msgspec.json.Decoder(EventIn)
_NO_PHOTOS = "photos do not travel in NDJSON: send this event by itself"
_Numbered = tuple[int, Submission]


_answers = json_of(TakenView, BulkView)


@router.post("/events", **described("Hand over events", _answers, 202, EVENT_BODIES))
async def post_events(request: Request, room: TheRoom, rights: Sender) -> Response:
    match content_type(request):
        case "application/json":
            return await _one(request, room, rights)
        case "multipart/form-data":
            return await _with_parts(request, room, rights)
        case "application/x-ndjson":
            return await _many(request, room, rights)
        case other:
            known = f"{JSON}, {MULTIPART} or {NDJSON}"
            raise Problem(415, f"Send events as {known}; this request says {other or 'no Content-Type'}.")


async def _one(request: Request, room: Room, rights: Rights) -> Response:
    async with room.buffers.body(request, room.limits.json) as body:
        given = decode(_events, body)
        return await _accept(room, rights, given, ())


async def _with_parts(request: Request, room: Room, rights: Rights) -> Response:
    async with room.buffers.body(request, room.limits.json) as body:
        given, photos = _event_and_photos(parts_of(request, body, room.limits.photos + 1))
        return await _accept(room, rights, given, photos)


def _event_and_photos(parts: Sequence[Part]) -> tuple[EventIn, list[PhotoIn]]:
    events = [part.data for part in parts if part.name == "event"]
    if len(events) != 1:
        raise Problem(422, f"Expected one part named event with the JSON; there are {len(events)}.", field="event")
    return decode(_events, events[0]), photos_in(parts, beside=("event",))


def photos_in(parts: Sequence[Part], beside: tuple[str, ...] = ()) -> list[PhotoIn]:
    """The parts named photo, in order. Raises Problem 422 for any other part."""
    stranger = next((part.name for part in parts if part.name not in ("photo", *beside)), None)
    if stranger is not None:
        raise Problem(422, f"There is a part named {stranger[:40]!r}; expected photo.", field=stranger[:40])
    return [PhotoIn(part.data, part.content_type or "image/jpeg") for part in parts if part.name == "photo"]


async def _accept(room: Room, rights: Rights, given: EventIn, photos: Sequence[PhotoIn]) -> Response:
    refusal = out_of_reach(room, rights, given.device_id)
    if refusal:
        raise Problem(403, refusal, field="device_id")
    taken = await room.gateway.intake.accept(submission(given, rights.name, room.now(), photos))
    return answer(taken_view(taken), 202)


def out_of_reach(room: Room, rights: Rights, device_id: str) -> str:
    """Why a narrowed token may not speak for this device; empty when it may."""
    if not rights.narrowed:
        return ""
    device = room.gateway.devices.get(device_id)
    if rights.reach(room.gateway.devices.areas, device.area if device else "", device_id):
        return ""
    return f"The token {rights.name} may not send events of the device {device_id}."


def taken_view(taken: Taken) -> TakenView:
    return TakenView(taken.id, taken.duplicate, taken.destinations, taken.photos_refused, taken.warnings)


class _Count:
    """What became of the lines so far."""

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.refused: list[LineRefused] = []
        self.settled = 0

    def add(self, line: int, taken: Taken) -> None:
        self.settled = line
        if taken.duplicate:
            self.duplicates += 1
        else:
            self.accepted += 1

    def view(self) -> BulkView:
        return BulkView(self.accepted, self.duplicates, sorted(self.refused, key=lambda refused: refused.line))


async def _many(request: Request, room: Room, rights: Rights) -> Response:
    async with room.buffers.body(request, room.limits.ndjson) as body:
        lines = body.split(b"\n")
        if len(lines) > room.limits.ndjson_lines + 1 or (lines[-1] and len(lines) > room.limits.ndjson_lines):
            raise Problem(413, f"More than {room.limits.ndjson_lines} lines: send them in several requests.")
        count = _Count()
        for chunk in _chunks(lines, room.limits.ndjson_chunk):
            try:
                await _keep(room, _build(room, rights, chunk, count), count)
            except (IntakeClosed, StoreUnavailable) as closed:
                return _stopped(count, len(lines), closed)
        return answer(count.view(), 202)


def _chunks(lines: Sequence[bytes], size: int) -> Iterator[list[tuple[int, bytes]]]:
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    for start in range(0, len(numbered), size):
        yield numbered[start : start + size]


def _build(room: Room, rights: Rights, chunk: Sequence[tuple[int, bytes]], count: _Count) -> list[_Numbered]:
    """The submissions of the good lines; the bad ones are counted with their reason."""
    good: list[_Numbered] = []
    now, source, read, narrowed = room.now(), rights.name, _events.decode, rights.narrowed
    for number, line in chunk:
        try:
            given = read(line)
            refusal = out_of_reach(room, rights, given.device_id) if narrowed else ""
            refusal = refusal or (_NO_PHOTOS if given.photos else "")
            if not refusal:
                good.append((number, submission(given, source, now)))
                continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Refused) as error:
            refusal = _line_refusal(error)
        count.refused.append(LineRefused(number, refusal))
    return good


def _line_refusal(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        reason, field = explain(error)
        return f"{field}: {reason}" if field else reason
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


async def _keep(room: Room, submissions: Sequence[_Numbered], count: _Count) -> None:
    """One transaction; when the intake refuses one of them, each by itself, so that the others are kept."""
    if not submissions:
        return
    try:
        kept = await room.gateway.intake.accept_many([each for _, each in submissions])
    except Refused:
        for number, each in submissions:
            await _keep_one(room, number, each, count)
        return
    for (number, _), taken in zip(submissions, kept, strict=True):
        count.add(number, taken)


async def _keep_one(room: Room, number: int, each: Submission, count: _Count) -> None:
    try:
        count.add(number, await room.gateway.intake.accept(each))
    except Refused as error:
        count.refused.append(LineRefused(number, str(error)))


def _stopped(count: _Count, lines: int, closed: Exception) -> Response:
    """The intake closed on the way: if nothing is kept, 503; else the rest is named, so that only it is sent again."""
    if not count.settled:
        raise unavailable(str(closed))
    first = count.settled + 1
    count.refused = [refused for refused in count.refused if refused.line < first]
    count.refused.append(LineRefused(first, f"lines {first} to {lines} were not kept, send them again: {closed}"))
    return answer(count.view(), 202)
