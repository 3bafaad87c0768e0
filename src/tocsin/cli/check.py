"""`tocsin check`: is the configuration right, and with --connect: does each station, system and registry answer."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation
from tocsin.cli.output import count, print_json, printable
from tocsin.config.problems import Problem
from tocsin.engine.contracts import CheckStep

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.app.offline import Offline
    from tocsin.app.settings import Configuration, Loaded
    from tocsin.evidence.settings import EvidenceSettings
    from tocsin.systems.settings import SystemSettings

_DEADLINE_S = 120.0
_MOST_WARNINGS = 50
_Tried = Iterator[tuple[str, Sequence[CheckStep]]]


def check(
    context: typer.Context,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also open the store, listen, and reach stations and systems.")
    ] = False,
) -> None:
    """Check the configuration; --connect tries what it names.

    Touches no network without --connect; sends no event with it. Exit code 2: the configuration is wrong;
    1: an address cannot be listened on, or a station or system cannot be used.

    Example: tocsin check --connect
    """
    given = invocation(context)
    loaded = given.load()
    offline = _offline(loaded)
    problems = sorted([*loaded.problems, *_warnings(loaded, offline)], key=lambda problem: problem.line)
    if not given.json:
        _print(loaded, problems)
    tried = dict(_aloud(_try_all(loaded, offline), not given.json)) if connect and offline else {}
    if given.json:
        print_json({"file": loaded.file, "fine": not loaded.errors, "problems": problems, "connections": tried})
    if loaded.errors:
        raise typer.Exit(WRONG_USE)
    if not all(step.ok for steps in tried.values() for step in steps):
        raise typer.Exit(FAILED)


def _offline(loaded: "Loaded") -> "Offline | None":
    from tocsin.app.offline import Offline
    from tocsin.destinations.registry import DESTINATION_TYPES

    return Offline(loaded.settings, DESTINATION_TYPES) if loaded.settings is not None else None


def _warnings(loaded: "Loaded", offline: "Offline | None") -> list[Problem]:
    from tocsin.app.addresses import address_warnings
    from tocsin.app.exposure import exposure_warnings

    if offline is None or loaded.settings is None or loaded.document is None:
        return []
    found = list(address_warnings(loaded.document, loaded.settings, offline))
    rest = len(found) - _MOST_WARNINGS
    more = [loaded.document.problem(("devices",), f"{rest} more like these", warn=True)] if rest > 0 else []
    return [*found[:_MOST_WARNINGS], *more, *exposure_warnings(loaded.document, loaded.settings)]


def _try_all(loaded: "Loaded", offline: "Offline | None") -> _Tried:
    """The store and the addresses listened on, then every destination, system and evidence agent in turn."""
    import asyncio
    from pathlib import Path

    from tocsin.cli.listening import listening_steps

    if offline is None or loaded.settings is None:
        return
    yield "store", asyncio.run(_within(partial(_try_store, loaded.settings)))
    yield from listening_steps(Path(loaded.file), loaded.settings)
    for name in offline.destinations:
        yield name, asyncio.run(_within(partial(offline.check, name)))
    for entry in loaded.settings.systems:
        yield entry.name, asyncio.run(_within(partial(_try_system, entry)))
    folder = Path(loaded.settings.gateway.data_dir)
    for agent in loaded.settings.evidence:
        yield agent.name, asyncio.run(_within(partial(_try_agent, agent, folder)))


async def _try_store(settings: "Configuration") -> Sequence[CheckStep]:
    from pathlib import Path

    if settings.gateway.database is None:
        return [_try_folder(Path(settings.gateway.data_dir))]
    from tocsin.app.database import database_steps

    return await database_steps(settings.gateway.database.reveal())


def _try_folder(data_dir: "Path") -> CheckStep:
    from tocsin.app.instance import WRITABLE, unusable_folder

    reason = unusable_folder(data_dir)
    return CheckStep(f"data folder {data_dir}", not reason, reason or "this user may write there", WRITABLE)


async def _try_agent(entry: "EvidenceSettings", folder: "Path") -> Sequence[CheckStep]:
    import random

    from tocsin.engine.clock import LoopClock
    from tocsin.evidence.checking import check

    return await check(entry, folder, LoopClock(), random.SystemRandom())


async def _try_system(entry: "SystemSettings") -> Sequence[CheckStep]:
    from tocsin.app.building import system_alone

    system = system_alone(entry)
    try:
        return await system.check()
    finally:
        await system.aclose()


async def _within(work: Callable[[], Awaitable[Sequence[CheckStep]]]) -> Sequence[CheckStep]:
    import asyncio

    try:
        async with asyncio.timeout(_DEADLINE_S):
            return await work()
    except TimeoutError:
        return [CheckStep("check", False, f"not finished within {_DEADLINE_S:.0f} s")]


def _aloud(tried: _Tried, aloud: bool) -> _Tried:
    """The same, each printed as soon as it is known."""
    for name, steps in tried:
        for line in step_lines(name, steps) if aloud else ():
            typer.echo(line)
        yield name, steps


def step_lines(name: str, steps: Sequence[CheckStep]) -> Iterator[str]:
    """For people."""
    yield f"{name}:"
    for step in steps:
        detail = f": {step.detail}" if step.detail else ""
        yield printable(f"    {'ok' if step.ok else 'FAILED':8}{step.what}{detail}")
        if step.hint and not step.ok:
            yield printable(f"            hint: {step.hint}")


def _print(loaded: "Loaded", problems: Sequence[Problem]) -> None:
    from tocsin.cli.summary import summary

    if loaded.settings is not None:
        for line in summary(loaded.settings):
            typer.echo(line)
    for problem in problems:
        typer.echo(str(problem))
    errors, warnings = len(loaded.errors), len(problems) - len(loaded.errors)
    verdict = "fine" if not errors else "not usable" if loaded.settings is None else "usable in part"
    typer.echo(f"{loaded.file}: {verdict}, {count(errors, 'error')}, {count(warnings, 'warning')}")
