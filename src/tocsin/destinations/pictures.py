"""Which pictures of an event go out, how large, and as what (receivers.md 1.4)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

from msgspec import Struct
from pydantic import BeforeValidator, Field

from tocsin.config.fields import Duration, Settings
from tocsin.destinations.files import File, Files
from tocsin.destinations.picture_names import NAME_KEYS, Names
from tocsin.destinations.template_settings import written
from tocsin.destinations.templates import Template
from tocsin.media.avi import clip, frame_problem
from tocsin.media.child import NotMade
from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts
from tocsin.media.reduce import reduced
from tocsin.media.sheet import contact_sheet
from tocsin.model.event import Address, Event, Photo

_PREPARING_S = 15.0
_AT_ONCE = 2


class PictureSettings(Settings):
    """How pictures travel."""

    carry: Literal["jpg", "avi", "sheet", "link", "none"] = Field(
        "jpg",
        alias="as",
        description="jpg: single pictures; avi: one clip of them; sheet: all on one picture; link: only the event's "
        "link; none: no pictures.",
    )
    max_count: int = Field(5, ge=1, le=20, description="At most this many photos per event, the first ones.")
    max_bytes_each: int = Field(
        300_000, ge=10_000, le=16_000_000, description="A photo of more bytes is made smaller, without its EXIF data."
    )
    max_bytes: int = Field(4_000_000, ge=1, le=16_000_000, description="At most this many bytes of photos per event.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late photos or actors.")
    frame_rate: int = Field(1, ge=1, le=25, description="Pictures a second in a clip.")
    name: Annotated[Template | None, written("line", NAME_KEYS)] = Field(
        None, description="Template of file names, without their ending; n counts from 1. Absent: time, zone and n."
    )

    @property
    def sends_files(self) -> bool:
        return self.carry not in ("link", "none")


def _table(value: Any) -> Any:
    return {"as": value} if isinstance(value, str) else value


Pictures = Annotated[PictureSettings, BeforeValidator(_table)]
"""For a setting `photos`: a word, or a table."""


async def files_of(
    photos: Sequence[Photo], settings: PictureSettings, event: Event, zone: str, address: Address | None = None
) -> Files:
    """The pictures as they go out, oldest first, byte for byte as they came unless one had to be made smaller.

    Never raises for a picture and never takes longer than 15 s: what cannot be had is left out and noted, and what
    cannot become a clip or a sheet goes out as single pictures. `zone` and `address` at the station are for names.
    """
    if not settings.sends_files:
        return Files()
    batch = _Batch(photos, settings, Names(settings.name, event, zone, address))
    deadline = asyncio.get_running_loop().time() + _PREPARING_S
    files = await _sheet(batch, deadline) if settings.carry == "sheet" else ()
    if not files:
        batch.fit(await asyncio.gather(*(_small_enough(one, batch.settings, deadline) for one in batch.taken)))
        files = await _clip(batch, deadline) if settings.carry == "avi" else ()
    return Files(files or batch.singles(), "; ".join(batch.notes))


def files_at_hand(
    photos: Sequence[Photo], settings: PictureSettings, event: Event, zone: str, address: Address | None = None
) -> Files:
    """The single pictures, without making anything: for showing a message that is not sent. The note says what would
    be made of them.
    """
    if not settings.sends_files:
        return Files()
    batch = _Batch(photos, settings, Names(settings.name, event, zone, address))
    batch.fit([_as_it_is(photo, settings.max_bytes_each) for photo in batch.taken])
    if settings.carry != "jpg" and batch.kept:
        made = "a clip" if settings.carry == "avi" else "a contact sheet"
        batch.notes.append(f"when it is sent, {made} is made of the pictures")
    return Files(batch.singles(), "; ".join(batch.notes))


class _Looked(Struct, frozen=True):
    """A photo and what goes out of it: nothing when `reason` says why not."""

    n: int
    data: bytes = b""
    reason: str = ""
    note: str = ""


class _Batch:
    """The photos of one event on their way out: `taken` of all, `kept` of those, `notes` about the others."""

    def __init__(self, photos: Sequence[Photo], settings: PictureSettings, names: Names) -> None:
        ordered = sorted(photos, key=lambda photo: photo.n)
        more = len(ordered) - settings.max_count
        self.settings = settings
        self.names = names
        self.taken = ordered[: settings.max_count]
        self.kept: list[_Looked] = []
        self.notes: list[str] = []
        if more > 0:
            self.notes.append(f"{more} of {len(ordered)} photos left out: max_count is {settings.max_count}")

    def fit(self, looked_at: Sequence[_Looked]) -> None:
        """Keep what fits together. A large one is left out, those behind it are not."""
        room = self.settings.max_bytes
        for one in looked_at:
            if not one.reason and len(one.data) <= room:
                room -= len(one.data)
                self.kept.append(one)
                self.notes += [one.note] if one.note else []
            else:
                reason = one.reason or f"with it there would be more than max_bytes = {self.settings.max_bytes}"
                self.notes.append(f"photo {one.n} left out: {reason}")

    def singles(self, chosen: Sequence[_Looked] | None = None) -> tuple[File, ...]:
        """`chosen`, else all that are kept, as single pictures."""
        wanted = self.kept if chosen is None else chosen
        return tuple(File(self.names.of(one.n, ".jpg"), "image/jpeg", one.data) for one in wanted)


def _as_it_is(photo: Photo, most: int) -> _Looked:
    facts = jpeg_facts(photo.data)
    if isinstance(facts, NoJpeg):
        return _Looked(photo.n, reason=facts.reason)
    if len(photo.data) > most:
        return _Looked(photo.n, reason=f"with {len(photo.data)} bytes it would first be made smaller than {most}")
    return _Looked(photo.n, photo.data)


async def _small_enough(photo: Photo, settings: PictureSettings, deadline: float) -> _Looked:
    most = settings.max_bytes_each
    if len(photo.data) <= most:
        return _as_it_is(photo, most)
    smaller = await _in_time(lambda: reduced(photo.data, most), deadline)
    if isinstance(smaller, NotMade):
        return _Looked(photo.n, reason=smaller.reason)
    note = f"photo {photo.n} made smaller, from {len(photo.data)} to {len(smaller)} bytes"
    return _Looked(photo.n, smaller, note=note)


async def _sheet(batch: _Batch, deadline: float) -> tuple[File, ...]:
    """The contact sheet; nothing, and a note, when the pictures have to go out singly."""
    settings = batch.settings
    good = [photo for photo in batch.taken if isinstance(jpeg_facts(photo.data), JpegFacts)]
    if len(good) < 2:
        return ()
    most = min(settings.max_bytes_each, settings.max_bytes)
    sheet = await _in_time(lambda: contact_sheet([photo.data for photo in good], most), deadline)
    if isinstance(sheet, NotMade):
        batch.notes.append(f"single pictures instead of a sheet: {sheet.reason}")
        return ()
    looked_at = [_as_it_is(photo, len(photo.data)) for photo in batch.taken]
    batch.notes += [f"photo {one.n} left out: {one.reason}" for one in looked_at if one.reason]
    return (File(batch.names.of(good[0].n, ".jpg"), "image/jpeg", sheet),)


async def _clip(batch: _Batch, deadline: float) -> tuple[File, ...]:
    """The clip, with those that do not fit into it behind; nothing, and a note, when all have to go out singly."""
    first = next((jpeg_facts(one.data) for one in batch.kept if not frame_problem(one.data, None)), None)
    if not isinstance(first, JpegFacts):
        batch.notes += ["single pictures: none of them can be in a clip"] if batch.kept else []
        return ()
    problems = [(one, frame_problem(one.data, first)) for one in batch.kept]
    frames = [one for one, problem in problems if not problem]
    alone = [one for one, problem in problems if problem]
    made = await _in_time(lambda: clip([one.data for one in frames], batch.settings.frame_rate), deadline)
    if isinstance(made, bytes) and len(made) + sum(len(one.data) for one in alone) > batch.settings.max_bytes:
        made = NotMade(f"with it there would be more than max_bytes = {batch.settings.max_bytes}")
    if isinstance(made, NotMade):
        batch.notes.append(f"single pictures instead of a clip: {made.reason}")
        return ()
    batch.notes += [f"photo {one.n} goes on its own: {problem}" for one, problem in problems if problem]
    return (File(batch.names.of(frames[0].n, ".avi"), "video/x-msvideo", made), *batch.singles(alone))


async def _in_time(make: Callable[[], Awaitable[bytes | NotMade]], deadline: float) -> bytes | NotMade:
    """A few at a time, so that a flood of pictures cannot take the machine."""
    try:
        async with asyncio.timeout_at(deadline), _slots():
            return await make()
    except TimeoutError:
        return NotMade("there was no time for it")


_SLOTS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def _slots() -> asyncio.Semaphore:
    """All destinations share them; they belong to the loop that waits for them."""
    return _SLOTS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))
