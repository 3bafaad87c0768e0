"""A configuration in a few lines: its parts, and where each secret comes from."""

from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import BaseModel

from tocsin.app.settings import Configuration
from tocsin.cli.output import count
from tocsin.config.fields import AesKey, Secret

_URLS = ("url", "inventory_url", "events_url")


def summary(settings: Configuration) -> Iterator[str]:
    """One line per part of the configuration."""
    store = "PostgreSQL" if settings.gateway.database else f"SQLite in {settings.gateway.data_dir}"
    yield f"gateway      {settings.gateway.name}, {store}, time zone {settings.gateway.time_zone}"
    protection = "TLS" if settings.api.tls else "plain HTTP"
    yield f"api          {settings.api.listen}, {protection}, {count(len(settings.api.tokens), 'token')}"
    yield f"console      {count(len(settings.console.users), 'user')}"
    if settings.control:
        protection = "TLS" if settings.control.tls else "plain HTTP"
        users = count(len(settings.control.users), "user")
        yield f"control      {settings.control.listen}, {protection}, {users}"
    yield f"areas        {len(settings.areas)}"
    yield f"devices      {len(settings.devices)}"
    for source in settings.sources:
        yield f"source       {source.name}: {source.type}{_heard_from(source)}"
    for destination in settings.destinations:
        yield f"destination  {destination.name}: {destination.type}{_peers(destination)}"
    for agent in settings.evidence:
        yield f"evidence     {agent.name}: {agent.type}, shares {count(len(agent.shared_areas), 'area')}"
    if not settings.destinations:
        yield "destination  none: events are kept, nobody is told"
    for system in settings.systems:
        yield f"system       {system.name}: {system.type}{_peers(system)}"
    for place, origin in secrets_of(settings):
        yield f"secret       {place}: {origin}"


def _heard_from(source: Any) -> str:
    return f", listens on {source.listen}" if source.listening() else _peers(source)


def _peers(part: Any) -> str:
    peers = list(getattr(part, "hosts", None) or [])
    peers += [f"listens on {part.listen}"] if getattr(part, "listen", "") else []
    peers += [str(url) for name in _URLS if (url := getattr(part, name, ""))] + list(getattr(part, "urls", ()))
    insecure = ", TLS NOT VERIFIED" if getattr(getattr(part, "tls", None), "insecure", False) else ""
    return "".join(f", {peer}" for peer in peers) + insecure


def secrets_of(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where every secret stands and where it came from; never its value."""
    if isinstance(value, Secret):
        yield place, f"from {value.origin}"
    elif isinstance(value, AesKey):
        yield place, f"AES-{len(value.reveal()) * 8}"
    else:
        for name, item in _parts(value):
            yield from secrets_of(item, f"{place}{name}".lstrip("."))


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """The values within a value, each with what to add to its place."""
    if isinstance(value, BaseModel):
        yield from ((f".{name}", getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, msgspec.Struct):
        yield from ((f".{name}", getattr(value, name)) for name in value.__struct_fields__)
    elif isinstance(value, dict):
        yield from ((f".{key}", item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f" {_label(item, index)} ", item) for index, item in enumerate(value, start=1))


def _label(item: Any, index: int) -> str:
    name = getattr(item, "name", "") or getattr(item, "account", "")
    return f'"{name}"' if name else str(index)
