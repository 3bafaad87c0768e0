"""The wire profile: everything of the agent service that is not published, as one document (clearance.md 6)."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tocsin.model.evidence import JobType
from tocsin.transports.http import endpoint_of

ASSUMED = "assumed-1"
API_BASE = "{ApiBase}"
"""How a profile's base begins when it lies below the connection file's address."""
_LIMIT = 256 * 1024
Operation = Literal[
    "get_jobs",
    "lock",
    "renew",
    "update",
    "initialize_upload",
    "complete_media",
    "complete_discovery",
    "complete_thumbnail",
    "complete",
    "cancel",
    "release",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
FIELDS = (
    "jobs", "job.id", "job.type", "job.created", "job.approved_by", "media.device", "media.start", "media.end",
    "lock.expires", "lock.token", "upload.file_id", "upload.key", "upload.uri",
)  # fmt: skip
WORDS = frozenset({
    "name", "mime", "start", "end", "device", "progress", "total", "state", "message", "lock_token",
    "file_id", "size", "sha256", "cipher_size", "cipher_sha256",
})  # fmt: skip
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_OF_BASE = frozenset({"ApiBase", "tenant", "ServicePrincipalId"})
_OF_PATH = frozenset({"agent", "job", "file"})
_OF_HEADERS = frozenset({"APIKey", "tenant", "ServicePrincipalId"})
_OF_ASSERTION = frozenset({"kid", "client_id", "token_url", "tenant", "ServicePrincipalId"})
_NO_FILE = frozenset({"get_jobs", "lock", "renew", "update", "initialize_upload", "complete", "cancel", "release"})


class ProfileInvalid(ValueError):
    """The document cannot be used; the text says where and why."""


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """`body`: name on the wire → our word (WORDS). `minimal`: the names to keep when the whole body is refused."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    body: Mapping[str, str] = {}
    minimal: tuple[str, ...] = ()


class Statuses(Struct, frozen=True, forbid_unknown_fields=True):
    """How answers are understood; one that is listed nowhere by its hundred."""

    ok: frozenset[int]
    not_mine: frozenset[int]
    retry: frozenset[int]
    auth: frozenset[int]
    bug: frozenset[int]


class Assertion(Struct, frozen=True, forbid_unknown_fields=True):
    """What the login's assertion says (clearance.md 4)."""

    alg: str
    kid: str
    iss: str
    sub: str
    aud: str
    back_s: int = 5
    life_s: int = 300


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """See assumed-1.toml."""

    name: str
    base: str
    agent_id: str
    ops: Mapping[str, Call]
    fields: Mapping[str, tuple[str, ...]]
    types: Mapping[JobType, tuple[str, ...]]
    status: Statuses
    assertion: Assertion
    task_total: int = 1000
    extra_headers: Mapping[str, str] = {}


def assumed_text() -> str:
    """The document that comes with the program."""
    return resources.files("tocsin.evidence.registry").joinpath(f"{ASSUMED}.toml").read_text(encoding="utf-8")


def load_profile(file: str = "") -> Profile:
    """From a file, TOML or JSON; without one the assumed profile. Raises ProfileInvalid."""
    if not file:
        return read_profile(assumed_text())
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(_LIMIT + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ProfileInvalid(f"the wire profile {file} cannot be read: {reason}") from None
    if len(data) > _LIMIT:
        raise ProfileInvalid(f"the wire profile {file} is larger than 256 KiB")
    return read_profile(text, f"the wire profile {file}")


def read_profile(text: str, called: str = "the wire profile") -> Profile:
    """Raises ProfileInvalid."""
    try:
        profile = msgspec.convert(_document(text), Profile)
    except (ValueError, RecursionError) as error:  # msgspec's and tomllib's errors are ValueErrors
        raise ProfileInvalid(f"{called}: {error}") from None
    for problem in _problems(profile):
        raise ProfileInvalid(f"{called}: {problem}")
    return profile


def _document(text: str) -> Any:
    return msgspec.json.decode(text) if text.lstrip().startswith("{") else tomllib.loads(text)


def _problems(profile: Profile) -> Iterator[str]:
    yield from _unknown("ops", profile.ops, OPERATIONS)
    yield from _unknown("fields", profile.fields, FIELDS)
    yield from (f"types.{name} is missing" for name in get_args(JobType) if not profile.types.get(name))
    yield from (f"fields.{name} names nothing" for name, spellings in profile.fields.items() if not all(spellings))
    yield from _foreign("base", profile.base, _OF_BASE)
    if not profile.base.startswith(API_BASE) and not _is_https(profile.base):
        yield "base begins with {ApiBase}, or with https://HOST where the service is elsewhere"
    yield from _foreign("agent_id", profile.agent_id, _OF_BASE)
    for name, call in profile.ops.items():
        yield from _of_call(name, call)
    for name, value in profile.extra_headers.items():
        yield from _foreign(f"extra_headers.{name}", value, _OF_HEADERS)
        if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.isprintable():
            yield f"extra_headers.{name} is no header"
    for name in ("kid", "iss", "sub", "aud"):
        yield from _foreign(f"assertion.{name}", getattr(profile.assertion, name), _OF_ASSERTION)
    yield from _twice(profile.status)
    if not 1 <= profile.task_total <= 1_000_000 or not 0 < profile.assertion.life_s <= 86_400:
        yield "task_total is 1 to 1000000, assertion.life_s at most 86400"
    if not 0 <= profile.assertion.back_s <= 86_400:
        yield "assertion.back_s is 0 to 86400"


def _is_https(base: str) -> bool:
    try:
        endpoint_of(base)
    except ValueError:
        return False
    return base.startswith("https://") and "{" not in urlsplit(base).netloc


def _unknown(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{where}.{name} is missing" for name in known if not given.get(name))
    yield from (f"{where}.{name} is not known; there is {', '.join(known)}" for name in given if name not in known)


def _foreign(where: str, text: str, allowed: frozenset[str]) -> Iterator[str]:
    names = set(_PLACEHOLDER.findall(text))
    yield from (f"{where}: {{{name}}} has no meaning there" for name in sorted(names - allowed))
    if "{" in _PLACEHOLDER.sub("", text) or "}" in _PLACEHOLDER.sub("", text):
        yield f"{where}: a brace without its partner"


def _of_call(name: str, call: Call) -> Iterator[str]:
    yield from _foreign(f"ops.{name}.path", call.path, _OF_PATH - {"file"} if name in _NO_FILE else _OF_PATH)
    if not call.path.startswith("/"):
        yield f"ops.{name}.path begins with a slash"
    for wire, word in call.body.items():
        if word not in WORDS:
            yield f"ops.{name}.body.{wire}: {word!r} is none of our words: {', '.join(sorted(WORDS))}"
    yield from (f"ops.{name}.minimal: {wire} is not in its body" for wire in call.minimal if wire not in call.body)


def _twice(statuses: Statuses) -> Iterator[str]:
    seen: dict[int, str] = {}
    for name in Statuses.__struct_fields__:
        for status in sorted(getattr(statuses, name)):
            if status in seen or not 100 <= status <= 599:
                yield f"status.{name}: {status} is no status or stands under {seen.get(status)} already"
            seen[status] = name


def filled(text: str, values: Mapping[str, str]) -> str:
    """A checked text with its placeholders replaced."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
