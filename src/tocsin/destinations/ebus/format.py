"""One event as files in its source's folder (receivers.md 8.1, stations.md 7.8): pictures and a text. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources

import msgspec

from tocsin.destinations.ebus.addressing import Place
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.ebus.templates import PICTURE_NAMES, TEXT, TEXT_NAMES
from tocsin.destinations.files import File
from tocsin.destinations.filters import ascii_text
from tocsin.destinations.templates import Template
from tocsin.destinations.words import words
from tocsin.model.event import Event
from tocsin.model.kinds import Lane, lane_of
from tocsin.model.naming import short_id
from tocsin.model.wording import seen

WORDING: Mapping[str, tuple[str, str]] = msgspec.json.decode(
    resources(__package__).joinpath("wording.json").read_bytes(), type=dict[str, tuple[str, str]]
)
"""By kind: the word behind `Alarm:` and the text."""
LANES = {Lane.ALARM: "ALARM", Lane.STATUS: "STATUS", Lane.ROUTINE: "ROUTINE"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_PART = 120


def file_set(
    settings: EbusSettings, event: Event, place: Place, number: int, files: Sequence[File]
) -> tuple[File, ...]:
    """What goes up, in order; `name` has the whole path. The text completes the set unless it is to begin it."""
    values = _values(settings, event, place, number, files)
    pictures = [_picture(settings, values, place, n, file) for n, file in enumerate(files, start=1)]
    if settings.text == "none" and pictures:
        return tuple(pictures)
    text = _text(settings, values, place)
    return (text, *pictures) if settings.text == "first" else (*pictures, text)


def alarm_word(settings: EbusSettings, event: Event) -> tuple[str, str]:
    """The word behind `Alarm:` and the text, in the station's language."""
    wanted = [f"{event.kind}.{seen(event)}"] if event.kind == "motion" and seen(event) else []
    word, text = next(WORDING[key] for key in (*wanted, event.kind) if key in WORDING)
    word = next((settings.codes[key] for key in (*wanted, event.kind) if key in settings.codes), word)
    if event.state == "restore":
        return settings.codes.get(f"{event.kind}.restore", f"{word} beendet"), f"{text}: beendet"
    return word, f"{text}: weiterhin" if event.state == "still" else text


def unique_mark(event: Event) -> str:
    """Eight characters that tell events of one moment in one folder apart; the same on every attempt."""
    identity = "\n".join((event.source, event.device_id, event.id))
    return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:8].upper()


def _values(
    settings: EbusSettings, event: Event, place: Place, number: int, files: Sequence[File]
) -> dict[str, object]:
    word, text = alarm_word(settings, event)
    zone = place.zone or short_id(event.device_id)
    said = ", ".join(part for part in (text, event.place.name or event.device_id, event.text) if part)
    return {
        **words(event, None, word, event.url, number, zone, files),
        "text": said,
        "site_id": place.folder,
        "lane": LANES[lane_of(event.kind)],
        "phase": "alarm",
        "short_id": short_id(event.device_id),
        "unique": unique_mark(event),
        "pictures": len(files),
        "pre_alarm": min(settings.pre_alarm_count, len(files)) or "",
        "n": 0,
    }


def _picture(settings: EbusSettings, values: Mapping[str, object], place: Place, n: int, file: File) -> File:
    template = settings.picture_name or PICTURE_NAMES[settings.layout]
    phase = "pre" if n <= settings.pre_alarm_count else "alarm"
    path = _path(settings, place, template, {**values, "n": n, "phase": phase})
    return File(f"{path}.{file.name.rpartition('.')[2]}", file.content_type, file.data)


def _text(settings: EbusSettings, values: Mapping[str, object], place: Place) -> File:
    path = _path(settings, place, settings.text_name or TEXT_NAMES[settings.layout], values)
    written = (settings.text_file or TEXT).render(values)
    if settings.ascii_only:
        written = ascii_text(written)
    data = "\r\n".join(written.splitlines()).encode("utf-8", "replace") + b"\r\n"
    return File(f"{path}.txt", "text/plain", data)


def _path(settings: EbusSettings, place: Place, template: Template, values: Mapping[str, object]) -> str:
    """Only the template itself can make folders: a slash or dots in a value cannot."""
    clean = {key: _clean(value) if isinstance(value, str) else value for key, value in values.items()}
    parts = [_clean(part) for part in template.render(clean).split("/") if part]
    ahead = f"{settings.path}/" if settings.path not in ("", "/") else settings.path
    return f"{ahead}{place.folder}/{'/'.join(parts) or 'event'}"


def _clean(text: str) -> str:
    """ASCII without blanks, as one part of a path. Where it is cut a digest stands for the rest: two pictures whose
    names differ at their ends stay two.
    """
    clean = _UNSAFE.sub("_", ascii_text(text)).strip(".")
    if len(clean) <= _LONGEST_PART:
        return clean
    digest = hashlib.sha256(clean.encode()).hexdigest()[:8]
    return f"{clean[: _LONGEST_PART - 9]}-{digest}"
