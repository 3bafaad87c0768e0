"""`tocsin check`: is the configuration right, and with --connect: does each station answer."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from pydantic import BaseModel

from tocsin.app.settings import Configuration, Loaded
from tocsin.cli.context import WRONG_USE, invocation
from tocsin.cli.output import print_json
from tocsin.config.fields import AesKey, Secret


def check(
    context: typer.Context,
    connect: Annotated[bool, typer.Option("--connect", help="Also connect to each destination, step by step.")] = False,
) -> None:
    """Check the configuration; --connect tries the stations too.

    Touches no network without --connect; sends no event with it.

    Example: tocsin check --connect
    """
    given = invocation(context)
    loaded = given.load()
    if given.json:
        print_json({"file": loaded.file, "fine": not loaded.errors, "problems": msgspec.to_builtins(loaded.problems)})
    else:
        _print(loaded)
    if loaded.errors:
        raise typer.Exit(WRONG_USE)


def _print(loaded: Loaded) -> None:
    if loaded.settings is not None:
        for line in summary(loaded.settings):
            typer.echo(line)
    for problem in loaded.problems:
        typer.echo(str(problem))
    errors, warnings = len(loaded.errors), len(loaded.problems) - len(loaded.errors)
    verdict = "fine" if not errors else "not usable" if loaded.settings is None else "usable in part"
    typer.echo(f"{loaded.file}: {verdict}, {_count(errors, 'error')}, {_count(warnings, 'warning')}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def summary(settings: Configuration) -> Iterator[str]:
    """One line per part of the configuration."""
    store = "PostgreSQL" if settings.gateway.database else f"SQLite in {settings.gateway.data_dir}"
    yield f"gateway      {settings.gateway.name}, {store}, time zone {settings.gateway.time_zone}"
    protection = "TLS" if settings.api.tls else "plain HTTP"
    yield f"api          {settings.api.listen}, {protection}, {_count(len(settings.api.tokens), 'token')}"
    yield f"console      {_count(len(settings.console.users), 'user')}"
    yield f"areas        {len(settings.areas)}"
    yield f"devices      {len(settings.devices)}"
    for source in settings.sources:
        yield f"source       {source.name}: {source.type}, listens on {source.listen}"
    for destination in settings.destinations:
        yield f"destination  {destination.name}: {destination.type}{_peers(destination)}"
    if not settings.destinations:
        yield "destination  none: events are kept, nobody is told"
    for place, secret in secrets_of(settings):
        yield f"secret       {place}: from {secret}"


def _peers(destination: Any) -> str:
    hosts = getattr(destination, "hosts", None) or [getattr(destination, "url", "")]
    return f", {', '.join(str(host) for host in hosts)}" if hosts[0] else ""


def secrets_of(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where every secret stands and where it came from; never its value."""
    if isinstance(value, Secret):
        yield place, value.origin
    elif isinstance(value, AesKey):
        yield place, str(value)
    elif isinstance(value, BaseModel | msgspec.Struct):
        names = type(value).model_fields if isinstance(value, BaseModel) else value.__struct_fields__
        for name in names:
            yield from secrets_of(getattr(value, name), f"{place}.{name}".strip("."))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            label = getattr(item, "name", None) or getattr(item, "account", None) or str(index + 1)
            yield from secrets_of(item, f"{place} {label} ".strip(".") if not isinstance(item, str) else place)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secrets_of(item, f"{place}.{key}")
