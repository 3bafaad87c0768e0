"""Which pictures of an event go out, how large, and under which names (receivers.md 1.4)."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import BeforeValidator, Field

from tocsin.config.fields import Duration, Settings
from tocsin.destinations.files import File, Files
from tocsin.destinations.filters import ascii_text
from tocsin.destinations.template_settings import written
from tocsin.destinations.templates import Template, compiled
from tocsin.destinations.words import words
from tocsin.media.jpeg import NoJpeg, jpeg_facts
from tocsin.media.reduce import NotReduced, reduced
from tocsin.model.event import Event, Photo

NAME_KEYS = frozenset({"n"})
_USUAL_NAME = compiled(
    '{{ ts|time("%Y%m%d_%H%M%S") }}_{% if zone %}{{ zone }}_{% endif %}{{ n|pad(2) }}', "line", "name", NAME_KEYS
)
_LONGEST_NAME = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIX = re.compile(r"\.(?:jpe?g|avi)\Z", re.IGNORECASE)
_PREPARING_S = 15.0


class PictureSettings(Settings):
    """How pictures travel."""

    carry: Literal["jpg", "link", "none"] = Field(
        "jpg", alias="as", description="jpg: single pictures; link: only the event's link; none: no pictures."
    )
    max_count: int = Field(5, ge=1, le=20, description="At most this many photos per event, the first ones.")
    max_bytes_each: int = Field(
        300_000, ge=10_000, le=16_000_000, description="A photo of more bytes is made smaller, without its EXIF data."
    )
    max_bytes: int = Field(4_000_000, ge=1, le=16_000_000, description="At most this many bytes of photos per event.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late photos or actors.")
    name: Annotated[Template | None, written("line", NAME_KEYS)] = Field(
        None, description="Template of file names, without .jpg; n counts from 1. Absent: time, zone and n."
    )

    @property
    def sends_files(self) -> bool:
        return self.carry not in ("link", "none")


def _table(value: Any) -> Any:
    return {"as": value} if isinstance(value, str) else value


Pictures = Annotated[PictureSettings, BeforeValidator(_table)]
"""For a setting `photos`: a word, or a table."""


async def files_of(photos: Sequence[Photo], settings: PictureSettings, event: Event, zone: str) -> Files:
    """The pictures as they go out, oldest first, byte for byte as they came unless one had to be made smaller.

    Never raises for a picture and never takes longer than 15 s: what cannot be had is left out and noted. `zone` is
    the event's number at the station, for names.
    """
    if not settings.sends_files:
        return Files()
    candidates, left_out = _first(photos, settings.max_count)
    deadline = asyncio.get_running_loop().time() + _PREPARING_S
    looked_at = await asyncio.gather(*(_small_enough(photo, settings.max_bytes_each, deadline) for photo in candidates))
    return _packed(looked_at, left_out, settings, event, zone)


def files_at_hand(photos: Sequence[Photo], settings: PictureSettings, event: Event, zone: str) -> Files:
    """The same without making anything: for showing a message before it is sent. The note says what would be made."""
    if not settings.sends_files:
        return Files()
    candidates, left_out = _first(photos, settings.max_count)
    looked_at = [_as_it_is(photo, settings.max_bytes_each) for photo in candidates]
    return _packed(looked_at, left_out, settings, event, zone)


class _Looked(Struct, frozen=True):
    """A photo and what goes out of it: nothing when `reason` says why not."""

    n: int
    data: bytes = b""
    reason: str = ""
    note: str = ""


def _first(photos: Sequence[Photo], most: int) -> tuple[list[Photo], list[str]]:
    ordered = sorted(photos, key=lambda photo: photo.n)
    more = len(ordered) - most
    return ordered[:most], [f"{more} of {len(ordered)} photos left out: max_count is {most}"] if more > 0 else []


def _as_it_is(photo: Photo, most: int) -> _Looked:
    facts = jpeg_facts(photo.data)
    if isinstance(facts, NoJpeg):
        return _Looked(photo.n, reason=facts.reason)
    if len(photo.data) > most:
        return _Looked(photo.n, reason=f"with {len(photo.data)} bytes it would first be made smaller than {most}")
    return _Looked(photo.n, photo.data)


async def _small_enough(photo: Photo, most: int, deadline: float) -> _Looked:
    if len(photo.data) <= most:
        return _as_it_is(photo, most)
    try:
        async with asyncio.timeout_at(deadline):
            smaller = await reduced(photo.data, most)
    except TimeoutError:
        return _Looked(photo.n, reason="making it smaller took too long")
    if isinstance(smaller, NotReduced):
        return _Looked(photo.n, reason=smaller.reason)
    note = f"photo {photo.n} made smaller, from {len(photo.data)} to {len(smaller)} bytes"
    return _Looked(photo.n, smaller, note=note)


def _packed(
    looked_at: Sequence[_Looked], notes: list[str], settings: PictureSettings, event: Event, zone: str
) -> Files:
    """What fits together, named. A large one is left out, those behind it are not."""
    files: list[File] = []
    room = settings.max_bytes
    for one in looked_at:
        if one.reason:
            notes.append(f"photo {one.n} left out: {one.reason}")
        elif len(one.data) > room:
            notes.append(f"photo {one.n} left out: with it there would be more than max_bytes = {settings.max_bytes}")
        else:
            room -= len(one.data)
            notes += [one.note] if one.note else []
            name = _name(settings.name or _USUAL_NAME, event, zone, one.n, {file.name.lower() for file in files})
            files.append(File(name, "image/jpeg", one.data))
    return Files(tuple(files), "; ".join(notes))


def _name(template: Template, event: Event, zone: str, n: int, taken: set[str], suffix: str = ".jpg") -> str:
    """ASCII, one part of a path on every system, and unique among `taken` (in small letters)."""
    values = {**words(event, event.address, "", "", 0, zone), "n": n}
    stem = _SUFFIX.sub("", template.render(values).strip())
    stem = _UNSAFE.sub("_", ascii_text(stem)).strip("._-")[:_LONGEST_NAME] or f"photo_{n:02}"
    name, again = stem, 1
    while (name + suffix).lower() in taken:
        again += 1
        name = f"{stem}_{again}"
    return name + suffix
