"""`tocsin check`: is the configuration right, and with --connect: does each station answer."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from pydantic import BaseModel

from tocsin.app.addresses import address_warnings
from tocsin.app.offline import Offline
from tocsin.app.settings import Configuration, Loaded
from tocsin.cli.context import FAILED, WRONG_USE, invocation
from tocsin.cli.output import print_json, printable
from tocsin.config.fields import AesKey, Secret
from tocsin.config.problems import Problem
from tocsin.engine.contracts import CheckStep

_DEADLINE_S = 120.0
_MOST_WARNINGS = 50


def check(
    context: typer.Context,
    connect: Annotated[bool, typer.Option("--connect", help="Also connect to each destination, step by step.")] = False,
) -> None:
    """Check the configuration; --connect tries the stations too.

    Touches no network without --connect; sends no event with it. Exit code 2: the configuration is wrong;
    1: a station cannot be used.

    Example: tocsin check --connect
    """
    given = invocation(context)
    loaded = given.load()
    offline = _offline(loaded)
    problems = sorted([*loaded.problems, *_address_problems(loaded, offline)], key=lambda problem: problem.line)
    if not given.json:
        _print(loaded, problems)
    tried = asyncio.run(_try_all(offline, not given.json)) if connect and offline else {}
    if given.json:
        shown = msgspec.to_builtins(problems)
        print_json({"file": loaded.file, "fine": not loaded.errors, "problems": shown, "connections": tried})
    if loaded.errors:
        raise typer.Exit(WRONG_USE)
    if not all(step.ok for steps in tried.values() for step in steps):
        raise typer.Exit(FAILED)


def _offline(loaded: Loaded) -> Offline | None:
    from tocsin.destinations.registry import DESTINATION_TYPES

    return Offline(loaded.settings, DESTINATION_TYPES) if loaded.settings is not None else None


def _address_problems(loaded: Loaded, offline: Offline | None) -> list[Problem]:
    if offline is None or loaded.settings is None or loaded.document is None:
        return []
    found = list(address_warnings(loaded.document, loaded.settings, offline))
    rest = len(found) - _MOST_WARNINGS
    more = [loaded.document.problem(("devices",), f"{rest} more devices like these", warn=True)] if rest > 0 else []
    return [*found[:_MOST_WARNINGS], *more]


async def _try_all(offline: Offline, aloud: bool) -> dict[str, Sequence[CheckStep]]:
    """Every destination in turn, up to its first failure."""
    tried = {}
    for name in offline.destinations:
        tried[name] = await _try_one(offline, name)
        for line in _step_lines(name, tried[name]) if aloud else ():
            typer.echo(line)
    return tried


async def _try_one(offline: Offline, name: str) -> Sequence[CheckStep]:
    try:
        async with asyncio.timeout(_DEADLINE_S):
            steps = await offline.check(name)
    except TimeoutError:
        return [CheckStep("check", False, f"not finished within {_DEADLINE_S:.0f} s")]
    failed = next((place for place, step in enumerate(steps) if not step.ok), len(steps))
    return steps[: failed + 1]


def _step_lines(name: str, steps: Sequence[CheckStep]) -> Iterator[str]:
    yield f"{name}:"
    for step in steps:
        detail = f": {step.detail}" if step.detail else ""
        yield printable(f"    {'ok' if step.ok else 'FAILED':8}{step.what}{detail}")
        if step.hint and not step.ok:
            yield printable(f"            hint: {step.hint}")


def _print(loaded: Loaded, problems: Sequence[Problem]) -> None:
    if loaded.settings is not None:
        for line in summary(loaded.settings):
            typer.echo(line)
    for problem in problems:
        typer.echo(str(problem))
    errors, warnings = len(loaded.errors), len(problems) - len(loaded.errors)
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
    for place, origin in secrets_of(settings):
        yield f"secret       {place}: {origin}"


def _peers(destination: Any) -> str:
    peers = list(getattr(destination, "hosts", None) or [])
    peers += [str(destination.url)] if getattr(destination, "url", "") else []
    insecure = ", TLS NOT VERIFIED" if getattr(getattr(destination, "tls", None), "insecure", False) else ""
    return "".join(f", {peer}" for peer in peers) + insecure


def secrets_of(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Where every secret stands and where it came from; never its value."""
    if isinstance(value, Secret):
        yield place, f"from {value.origin}"
    elif isinstance(value, AesKey):
        yield place, str(value)
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
