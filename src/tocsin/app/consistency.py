"""What no single section can know: names given twice, references to nothing, one port wanted twice.

Works on the data as written, so that a section that is broken elsewhere is looked at all the same.
"""

from collections.abc import Iterator
from typing import Any

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings
from tocsin.config.document import Document
from tocsin.config.listening import is_loopback
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem, did_you_mean
from tocsin.config.supervision import is_dual

_NAMED: tuple[tuple[KeyPath, str], ...] = (
    (("areas",), "name"),
    (("devices",), "id"),
    (("sources",), "name"),
    (("destinations",), "name"),
    (("systems",), "name"),
    (("evidence",), "name"),
    (("api", "tokens"), "name"),
    (("console", "users"), "name"),
    (("control", "users"), "name"),
)
_DEFAULT_LISTEN = {
    "api": str(ApiSettings.model_fields["listen"].default),
    "control": str(ControlSettings.model_fields["listen"].default),
}
_AREA_LISTS: tuple[tuple[KeyPath, KeyPath], ...] = (
    (("destinations",), ("filter", "areas")),
    (("destinations",), ("filter", "exclude_areas")),
    (("evidence",), ("shared_areas",)),
    (("api", "tokens"), ("areas",)),
    (("console", "users"), ("areas",)),
    (("control", "users"), ("areas",)),
)


def inconsistencies(document: Document, data: Any) -> list[Problem]:
    """Errors and warnings across sections. `data` is the whole document's."""
    return [
        *_twice(document, data),
        *_source_named_as_token(document, data),
        *_parents(document, data),
        *_areas(document, data),
        *_addresses(document, data),
        *_filter_sources(document, data),
        *_one_path(document, data),
        *_listening(document, data),
        *_nobody_may_call(document, data),
    ]


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def _tables(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    found = _at(data, path)
    for index, item in enumerate(found if isinstance(found, list) else []):
        if isinstance(item, dict):
            yield (*path, index), item


def _names(data: Any, path: KeyPath, key: str = "name") -> set[str]:
    return {item[key] for _, item in _tables(data, path) if isinstance(item.get(key), str)}


def _twice(document: Document, data: Any) -> Iterator[Problem]:
    for path, key in _NAMED:
        seen: dict[str, KeyPath] = {}
        for place, item in _tables(data, path):
            name = item.get(key)
            if isinstance(name, str) and name in seen:
                first = document.problem(seen[name], "").line
                yield document.problem((*place, key), f"is already given in line {first}", "each needs its own")
            elif isinstance(name, str):
                seen[name] = (*place, key)


def _source_named_as_token(document: Document, data: Any) -> Iterator[Problem]:
    sources = _names(data, ("sources",))
    for place, token in _tables(data, ("api", "tokens")):
        if token.get("name") in sources:
            hint = "an event's source is the name of its token or of its [[sources]] entry: give them different names"
            yield document.problem((*place, "name"), "is also the name of a source", hint)


def _parents(document: Document, data: Any) -> Iterator[Problem]:
    parents = {area.get("name"): area.get("parent") for _, area in _tables(data, ("areas",))}
    names = {name for name in parents if isinstance(name, str)}
    for place, area in _tables(data, ("areas",)):
        parent = area.get("parent")
        if isinstance(parent, str) and parent and parent not in names:
            message = f'the area "{parent}" is not among [[areas]]'
            yield document.problem((*place, "parent"), message, did_you_mean(parent, names))
        elif _in_a_circle(area.get("name"), parents):
            yield document.problem((*place, "parent"), "this area lies within itself", "one of the parents is wrong")


def _in_a_circle(name: Any, parents: dict[Any, Any]) -> bool:
    above = parents.get(name)
    for _ in parents:
        if above == name or above is None:
            return above == name and name is not None
        above = parents.get(above)
    return False


def _areas(document: Document, data: Any) -> Iterator[Problem]:
    names = _names(data, ("areas",))
    for place, name in _area_references(data):
        if isinstance(name, str) and name and name not in names:
            message = f'the area "{name}" is not among [[areas]]: it lies in no other and has no customer'
            yield document.problem(place, message, did_you_mean(name, names), warn=True)


def _area_references(data: Any) -> Iterator[tuple[KeyPath, Any]]:
    for place, device in _tables(data, ("devices",)):
        yield (*place, "area"), device.get("area")
    for source, _ in _tables(data, ("sources",)):
        for place, account in _tables(data, (*source, "accounts")):
            yield (*place, "area"), account.get("area")
    for place, system in _tables(data, ("systems",)):
        yield (*place, "area"), system.get("area")
    for tables, keys in _AREA_LISTS:
        for place, item in _tables(data, tables):
            listed = _at(item, keys)
            for index, name in enumerate(listed if isinstance(listed, list) else []):
                yield (*place, *keys, index), name


def _addresses(document: Document, data: Any) -> Iterator[Problem]:
    names = _names(data, ("destinations",))
    for place, entry in (*_tables(data, ("areas",)), *_tables(data, ("devices",))):
        addresses = entry.get("addresses")
        for name in addresses if isinstance(addresses, dict) else ():
            if name not in names:
                message = f'there is no destination "{name}"'
                yield document.problem((*place, "addresses", name), message, did_you_mean(name, names))


def _filter_sources(document: Document, data: Any) -> Iterator[Problem]:
    known = _names(data, ("sources",)) | _names(data, ("api", "tokens")) | {"api", "gateway"}
    for place, destination in _tables(data, ("destinations",)):
        listed = _at(destination, ("filter", "sources"))
        for index, name in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(name, str) and name not in known:
                message = f'no source and no token is named "{name}": nothing will come from it'
                yield document.problem(
                    (*place, "filter", "sources", index), message, did_you_mean(name, known), warn=True
                )


def _one_path(document: Document, data: Any) -> Iterator[Problem]:
    for place, destination in _tables(data, ("destinations",)):
        category, hosts = destination.get("supervision"), destination.get("hosts")
        if is_dual(category) and isinstance(hosts, list) and len(hosts) == 1:
            message = f"{category} is for two paths, and there is one host: only the first path's figure is used"
            yield document.problem(
                (*place, "supervision"), message, "give the second host, or a category SP…", warn=True
            )


def _listening(document: Document, data: Any) -> Iterator[Problem]:
    own: list[KeyPath] = [("api", "listen"), *([("control", "listen")] if "control" in data else [])]
    places: list[KeyPath] = [*own, *((*place, "listen") for place, _ in _tables(data, ("sources",)))]
    seen: dict[str, KeyPath] = {}
    for place in places:
        listen = _at(data, place) or _DEFAULT_LISTEN.get(str(place[0]))
        if not isinstance(listen, str) or listen.endswith(":0"):
            continue
        if listen in seen:
            line = document.problem(seen[listen], "").line
            yield document.problem(place, f"line {line} listens on {listen} already", "take another port")
        seen.setdefault(listen, place)


def _nobody_may_call(document: Document, data: Any) -> Iterator[Problem]:
    listen = _at(data, ("api", "listen"))
    if _at(data, ("api", "tokens")) or not isinstance(listen, str):
        return
    try:
        local = is_loopback(listen)
    except ValueError:
        return
    if not local:
        message = "without tokens only programs on this machine are served"
        hint = 'tokens = [{ name = "detectors", token = { env = "TOCSIN_TOKEN" }, scopes = ["events:write"] }]'
        yield document.problem(("api", "listen"), message, hint, warn=True)
