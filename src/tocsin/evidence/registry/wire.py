"""Answers of the registry to values, values to requests, as the wire profile says. Pure (clearance.md 6).

Whatever comes, reading ends in a value or in Unreadable; of foreign fields only names are told, never values.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Raw, Struct

from tocsin.evidence.contracts import Place
from tocsin.evidence.registry.profile import API_BASE, Call, Profile, filled
from tocsin.model.evidence import JobType

LONGEST_ID = 500
LONGEST_URI = 8192
MOST_JOBS = 1000
LARGEST_JOB = 64 * 1024
"""Bytes of a job that are kept as it came."""
_MOST_NAMES = 40
_DEEPEST = 4
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Unreadable(Exception):
    """The answer is not what the profile says; the text names the missing field and those that were there."""


class NotJson(Unreadable):
    """It is no document at all."""


class Offered(Struct, frozen=True):
    """A job as the registry offers it. `problem`: why it cannot be worked on, because the profile does not fit; then it
    is left alone.
    """

    registry_id: str
    type: JobType | None
    created_at: datetime | None = None
    device: str = ""
    start: datetime | None = None
    end: datetime | None = None
    approved_by: str = ""
    received: Raw = Raw(b"{}")
    problem: str = ""


class LockAnswer(Struct, frozen=True):
    """None: the answer did not say."""

    expires: datetime | None
    token: str = ""


def read_jobs(profile: Profile, body: bytes) -> list[Offered]:
    """Jobs available to this agent, at most 1000 of them. Raises Unreadable."""
    document = _json(body)
    listed = document if isinstance(document, list) else _find(profile, document, "jobs")
    if listed is None and not body.strip():
        return []
    if not isinstance(listed, list):
        raise Unreadable(f"get_jobs: the answer holds no list of jobs: {_lacks(profile, document, 'jobs')}")
    return [_offered(profile, item) for item in listed[:MOST_JOBS]]


def _offered(profile: Profile, item: Any) -> Offered:
    registry_id = _text(_find(profile, item, "job.id"), LONGEST_ID)
    said = _find(profile, item, "job.type")
    type_ = _type(profile, said)
    for name, value in (("job.id", registry_id), ("job.type", said)):
        if not value:
            return Offered(registry_id, type_, received=_kept(item), problem=f"a job: {_lacks(profile, item, name)}")
    if type_ is None:
        return Offered(registry_id, None, received=_kept(item), problem="a job of a type the profile does not know")
    device = _text(_find(profile, item, "media.device"), LONGEST_ID)
    offered = Offered(
        registry_id,
        type_,
        _instant(_find(profile, item, "job.created")),
        device,
        _instant(_find(profile, item, "media.start")),
        _instant(_find(profile, item, "media.end")),
        _text(_find(profile, item, "job.approved_by"), LONGEST_ID),
        _kept(item),
    )
    return msgspec.structs.replace(offered, problem=_misfit(profile, item, offered))


def _misfit(profile: Profile, item: Any, offered: Offered) -> str:
    """A field that is not there at all speaks against the profile; one that is there and says nothing, against the
    job: a wrong profile must not make an end of every job there is.
    """
    needed = {
        "mediarequest": (("media.device", offered.device), ("media.start", offered.start), ("media.end", offered.end)),
        "thumbnail": (("media.device", offered.device),),
    }.get(offered.type or "", ())
    for name, value in needed:
        if not value and not _stands(profile, item, name):
            return f"a job of type {offered.type}: {_lacks(profile, item, name)}"
    return ""


def read_lock(profile: Profile, body: bytes) -> LockAnswer:
    """Nothing of it is required: an answer without body is a lock of unknown length. Raises Unreadable."""
    document = _json(body)
    expires = _instant(_find(profile, document, "lock.expires"))
    return LockAnswer(expires, _text(_find(profile, document, "lock.token"), LONGEST_ID))


def read_place(profile: Profile, body: bytes) -> Place:
    """What InitializeUpload gives. Raises Unreadable."""
    document = _json(body)
    file_id = _text(_find(profile, document, "upload.file_id"), LONGEST_ID)
    uri = _text(_find(profile, document, "upload.uri"), LONGEST_URI)
    key = _find(profile, document, "upload.key")
    if isinstance(key, str):  # a key that is written as JSON within JSON
        key = _json(key.encode()) if key.lstrip().startswith("{") else None
    found = {"upload.file_id": file_id, "upload.uri": uri, "upload.key": key if isinstance(key, dict) else None}
    for name, value in found.items():
        if not value:
            raise Unreadable(f"initialize_upload: {_lacks(profile, document, name)}")
    assert isinstance(key, dict)
    return Place(file_id, uri, key)


def written_path(profile: Profile, call: Call, tenant: str, principal: str, job: str = "", file: str = "") -> str:
    """Where a call goes, below the registry's address (`service_addresses`)."""
    names = {"tenant": tenant, "ServicePrincipalId": principal, "ApiBase": ""}
    quoted = {name: quote(value, safe="") for name, value in names.items()}
    values = {"agent": quote(filled(profile.agent_id, names), safe=""), "job": quote(job, safe="")}
    below = profile.base if profile.base.startswith(API_BASE) else urlsplit(profile.base).path
    return filled(below, quoted) + filled(call.path, {**values, "file": quote(file, safe="")})


def service_addresses(profile: Profile, api: Sequence[str]) -> Sequence[str]:
    """Those of the connection file, unless the profile names its own."""
    if profile.base.startswith(API_BASE):
        return api
    parts = urlsplit(profile.base)
    return (f"{parts.scheme}://{parts.netloc}",)


def written_body(call: Call, words: Mapping[str, object], minimal: bool = False) -> bytes:
    """JSON of those words that have a value; empty when the call has no body."""
    if not call.body:
        return b""
    wanted = [(wire, words.get(word)) for wire, word in call.body.items() if not minimal or wire in call.minimal]
    return _encode({wire: _written(value) for wire, value in wanted if value not in (None, "")})


def _written(value: object) -> object:
    """YYYY-MM-DDTHH:MM:SS.ffffffZ (3.2)."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def _json(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJson("the answer is not JSON") from None


def _find(profile: Profile, document: Any, name: str) -> Any:
    for spelling in profile.fields[name]:
        value = _at(document, spelling)
        if value is not None:
            return value
    return None


def _stands(profile: Profile, document: Any, name: str) -> bool:
    """Whether a field of one of these names is there, whatever it says."""
    return any(_holds(document, spelling) for spelling in profile.fields[name])


def _at(document: Any, spelling: str) -> Any:
    for name in spelling.split("."):
        if not isinstance(document, dict):
            return None
        document = _member(document, name)
    return document


def _holds(document: Any, spelling: str) -> bool:
    above, _, last = spelling.rpartition(".")
    holder = _at(document, above) if above else document
    return isinstance(holder, dict) and any(key.lower() == last.lower() for key in holder)


def _member(document: dict[str, Any], name: str) -> Any:
    if name in document:
        return document[name]
    lowered = name.lower()
    return next((value for key, value in document.items() if key.lower() == lowered), None)


def _lacks(profile: Profile, document: Any, name: str) -> str:
    there = _names(document) if isinstance(document, dict) else [f"no object but {type(document).__name__}"]
    more = f" and {len(there) - _MOST_NAMES} more" if len(there) > _MOST_NAMES else ""
    looked = ", ".join(profile.fields[name])
    return f"{name} is missing (looked for {looked}); there is {', '.join(there[:_MOST_NAMES]) or 'nothing'}{more}"


def _names(document: dict[str, Any], above: str = "", depth: int = 1) -> list[str]:
    found: list[str] = []
    for key, value in document.items():
        shown = above + "".join(char if char.isprintable() else "?" for char in key[:60])
        found.append(shown)
        if isinstance(value, dict) and depth < _DEEPEST:
            found += _names(value, f"{shown}.", depth + 1)
    return found


def _text(value: Any, longest: int) -> str:
    """Texts and whole numbers; anything else, and what is too long, is nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 1 << 128 else ""
    return value if isinstance(value, str) and len(value) <= longest and value.isprintable() else ""


def _type(profile: Profile, value: Any) -> JobType | None:
    said = value.lower() if isinstance(value, str) else ""
    found = (name for name, spellings in profile.types.items() if said in map(str.lower, spellings))
    return next(found, None) if said else None


def _instant(value: Any) -> datetime | None:
    """Without zone it is UTC; the year 1 is .NET's way to say nothing (3.2)."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        read = msgspec.convert(value, datetime)
        read = read if read.tzinfo else read.replace(tzinfo=UTC)
        return None if read.year == 1 else read.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None


def _kept(item: Any) -> Raw:
    kept = _encode(item)
    names: Sequence[str] = _names(item)[:_MOST_NAMES] if isinstance(item, dict) else ()
    return Raw(kept if len(kept) <= LARGEST_JOB else _encode({"too_large": len(kept), "fields": names}))
