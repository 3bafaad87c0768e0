"""A wire profile drafted from the vendor's OpenAPI document: for each operation the path that fits best, to be looked
over by somebody (clearance.md 6). Pure.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.evidence.registry.profile import OPERATIONS, Operation, Profile, assumed_text, read_profile
from tocsin.protocols.text import one_line

_METHODS = ("get", "post", "put", "patch", "delete")
_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_DEEPEST = 6
_COLLECTIONS = frozenset({"agent", "agents", "job", "jobs"})
_MOST_PATHS = 2000
_SIGNS: Mapping[Operation, tuple[frozenset[str], frozenset[str]]] = {
    "get_jobs": (frozenset({"get", "jobs", "job", "available", "list"}), frozenset({"lock", "complete", "file"})),
    "lock": (frozenset({"lock", "post"}), frozenset({"renew", "unlock", "extend"})),
    "renew": (frozenset({"renew", "extend", "lock"}), frozenset()),
    "update": (frozenset({"update", "progress", "put"}), frozenset({"upload"})),
    "initialize_upload": (frozenset({"initialize", "init", "upload", "file"}), frozenset({"complete"})),
    "complete_media": (frozenset({"complete", "media", "file"}), frozenset({"discovery", "thumbnail"})),
    "complete_discovery": (frozenset({"complete", "discovery", "file"}), frozenset({"media", "thumbnail"})),
    "complete_thumbnail": (frozenset({"complete", "thumbnail", "file"}), frozenset({"media", "discovery"})),
    "complete": (frozenset({"complete", "job", "state"}), frozenset({"media", "discovery", "thumbnail", "file"})),
    "cancel": (frozenset({"cancel"}), frozenset()),
    "release": (frozenset({"release", "unlock"}), frozenset()),
}
"""Words that speak for an operation, and words that speak against it."""
_NEEDED: Mapping[Operation, frozenset[str]] = {
    "get_jobs": frozenset({"get"}),
    "lock": frozenset({"lock"}),
    "renew": frozenset({"renew", "extend"}),
    "update": frozenset({"update", "progress"}),
    "initialize_upload": frozenset({"initialize", "init", "upload"}),
    "complete_media": frozenset({"media"}),
    "complete_discovery": frozenset({"discovery"}),
    "complete_thumbnail": frozenset({"thumbnail"}),
    "complete": frozenset({"complete"}),
    "cancel": frozenset({"cancel"}),
    "release": frozenset({"release", "unlock"}),
}
"""One of these must be there."""
_WORDS: Mapping[str, frozenset[str]] = {
    "progress": frozenset({"taskprogress", "progress"}),
    "total": frozenset({"tasktotal", "total"}),
    "name": frozenset({"name", "filename"}),
    "mime": frozenset({"mimetype", "contenttype"}),
    "start": frozenset({"starttimeutc", "starttime", "start", "from"}),
    "end": frozenset({"endtimeutc", "endtime", "end", "to"}),
    "device": frozenset({"deviceid", "cameraid", "externalid", "device"}),
    "state": frozenset({"state", "status", "jobstate"}),
    "message": frozenset({"message", "reason", "description"}),
    "lock_token": frozenset({"lockid", "locktoken"}),
    "sha256": frozenset({"sha256", "hash", "checksum"}),
    "size": frozenset({"size", "filesize", "length"}),
}


class DocumentUnreadable(ValueError):
    """Not an OpenAPI document; the text says why."""


class Candidate(Struct, frozen=True):
    """One path and verb of the document. `body`: names of what is sent; `answer`: of what comes back."""

    method: str
    path: str
    title: str
    words: frozenset[str]
    body: tuple[str, ...]
    answer: tuple[str, ...]


def draft(data: bytes) -> str:
    """The text of a profile, with remarks. Raises DocumentUnreadable."""
    candidates = list(_candidates(_document(data)))
    if not candidates:
        raise DocumentUnreadable("it lists no paths")
    best = {operation: _best(operation, candidates) for operation in OPERATIONS}
    return "".join(_written(best, read_profile(assumed_text())))


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DocumentUnreadable("it is not JSON; OpenAPI documents in YAML must be turned into JSON first") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise DocumentUnreadable("it is no OpenAPI document: it has no paths")
    return document


def _candidates(document: dict[str, Any]) -> Iterator[Candidate]:
    for path, methods in list(document["paths"].items())[:_MOST_PATHS]:
        for method, operation in methods.items() if isinstance(methods, dict) else ():
            if method in _METHODS and isinstance(operation, dict):
                title = " ".join(str(operation.get(name, "")) for name in ("operationId", "summary"))[:300].strip()
                words = frozenset(_words(f"{method} {path} {title}"))
                told = (_names(document, _body(operation)), _names(document, _answer(operation)))
                yield Candidate(method.upper(), path, title, words, *told)


def _words(text: str) -> Iterator[str]:
    return (word.lower() for word in _SPLIT.findall(text))


def _body(operation: dict[str, Any]) -> Any:
    """OpenAPI 3, else Swagger 2."""
    content = _at(operation, "requestBody", "content")
    if isinstance(content, dict):
        return _at(next(iter(content.values()), None), "schema")
    given = operation.get("parameters")
    listed = given if isinstance(given, list) else []
    return next((one.get("schema") for one in listed if isinstance(one, dict) and one.get("in") == "body"), None)


def _answer(operation: dict[str, Any]) -> Any:
    answers = operation.get("responses")
    for status, answer in answers.items() if isinstance(answers, dict) else ():
        if str(status).startswith("2"):
            content = _at(answer, "content")
            media = next(iter(content.values()), None) if isinstance(content, dict) else answer
            return _at(media, "schema")
    return None


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _names(document: dict[str, Any], schema: Any, depth: int = 0) -> tuple[str, ...]:
    """Of an object's members, those of a list's items, a dot leading into objects."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return ()
    if isinstance(reference := schema.get("$ref"), str):
        return _names(document, _at(document, *reference.removeprefix("#/").split("/")), depth + 1)
    if "items" in schema:
        return _names(document, schema["items"], depth + 1)
    parts = [part for key in ("allOf", "oneOf", "anyOf") for part in schema.get(key) or () if isinstance(part, dict)]
    found = [name for part in parts for name in _names(document, part, depth + 1)]
    members = schema.get("properties")
    for name, member in members.items() if isinstance(members, dict) else ():
        found += [name, *(f"{name}.{below}" for below in _names(document, member, depth + 1))]
    return tuple(dict.fromkeys(found))[:100]


def _best(operation: Operation, candidates: Sequence[Candidate]) -> Candidate | None:
    fitting = [one for one in candidates if one.words & _NEEDED[operation]]
    return max(fitting, key=lambda one: (_score(operation, one), -len(one.path)), default=None)


def _score(operation: Operation, candidate: Candidate) -> float:
    wanted, unwanted = _SIGNS[operation]
    depth = sum(part.startswith("{") for part in candidate.path.split("/"))
    shallow = -depth if operation == "get_jobs" else 0
    return 2 * len(wanted & candidate.words) - 3 * len(unwanted & candidate.words) + shallow


def _written(best: Mapping[Operation, Candidate | None], assumed: Profile) -> Iterator[str]:
    prefix = _prefix([one.path for one in best.values() if one is not None])
    yield "# Drafted from an OpenAPI document. Look over every line marked ?, then name this file as profile_file.\n\n"
    yield 'name = "drafted"\n'
    yield f'base = "{{ApiBase}}{_placed(prefix)}"  # ? what lies before it in the connection file\n'
    yield f"agent_id = {json.dumps(assumed.agent_id)}\ntask_total = {assumed.task_total}\n"
    for operation, candidate in best.items():
        yield f"\n[ops.{operation}]\n"
        yield from _of_operation(operation, candidate, prefix, assumed)
    yield "\n[fields]\n"
    yield from _fields(best, assumed)
    yield assumed_text().partition("[types]")[2].join(("\n[types]", ""))


def _of_operation(operation: Operation, candidate: Candidate | None, prefix: str, assumed: Profile) -> Iterator[str]:
    if candidate is None:
        call = assumed.ops[operation]
        yield f"# ? nothing in the document fits; this is the assumption\nmethod = {json.dumps(call.method)}\n"
        yield f"path = {json.dumps(call.path)}\n"
        return
    yield f"# ? {one_line(candidate.method)} {one_line(candidate.path)}  {one_line(candidate.title)}\n"
    yield f"method = {json.dumps(candidate.method)}\n"
    yield f"path = {json.dumps(_placed(candidate.path.removeprefix(prefix)))}\n"
    known = {name: word for name in candidate.body if (word := _word(name)) and "." not in name}
    if known:
        yield f"body = {{ {', '.join(f'{json.dumps(name)} = {json.dumps(word)}' for name, word in known.items())} }}\n"
    if foreign := [name for name in candidate.body if name not in known]:
        yield f"# ? it also takes {one_line(', '.join(foreign))}\n"


def _word(name: str) -> str:
    return next((word for word, spellings in _WORDS.items() if name.lower() in spellings), "")


def _fields(best: Mapping[Operation, Candidate | None], assumed: Profile) -> Iterator[str]:
    sources = {
        "job": "get_jobs",
        "media": "get_jobs",
        "jobs": "get_jobs",
        "lock": "lock",
        "upload": "initialize_upload",
    }
    for field, spellings in assumed.fields.items():
        candidate = best[sources[field.partition(".")[0]]]  # type: ignore[index]
        there = candidate.answer if candidate else ()
        wanted = {one.lower() for one in spellings}
        found = [name for name in there if name.rpartition(".")[2].lower() in wanted]
        remark = "" if found else f"  # ? not seen; there is {one_line(', '.join(there[:30])) or 'nothing'}"
        yield f'"{field}" = {json.dumps(list(dict.fromkeys([*found, *spellings])))}{remark}\n'


def _prefix(paths: Sequence[str]) -> str:
    """What all paths begin with, by whole steps, up to the first job or agent."""
    steps = [path.split("/") for path in paths]
    common: list[str] = []
    for level in zip(*steps, strict=False):
        if len(set(level)) > 1 or _placed(level[0]) in ("{agent}", "{job}") or level[0].lower() in _COLLECTIONS:
            break
        common.append(level[0])
    return "/".join(common)


def _placed(path: str) -> str:
    """The document's placeholders as ours."""

    def ours(match: re.Match[str]) -> str:
        words = set(_words(match[1]))
        meant = (("tenant", {"tenant", "account"}), ("file", {"file"}), ("job", {"job", "task"}), ("agent", {"agent"}))
        return next((f"{{{name}}}" for name, signs in meant if signs & words), f"{{{match[1]}}}")

    return re.sub(r"\{([^}]*)\}", ours, path)
