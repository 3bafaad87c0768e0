"""`evidence`: agents of evidence registries, from the first contact to the custody log. `jobs`: what they did."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.cli.evidence_custody import COMMANDS
from tocsin.cli.output import print_json, print_table, printable
from tocsin.cli.tables import local_time

if TYPE_CHECKING:
    from tocsin.engine.contracts import CheckStep
    from tocsin.evidence.settings import EvidenceSettings

_LOOK_EVERY_S = 1.0
app = typer.Typer(no_args_is_help=True, help="Agents of evidence registries.")
Name = Annotated[str, typer.Argument(help="Name of the agent: [[evidence]] name.")]


def setup(
    context: typer.Context,
    connection: Annotated[Path, typer.Argument(help="The integration's configuration, as downloaded.")],
    profile: Annotated[Path | None, typer.Option(help="Try with this wire profile instead of assumed-1.")] = None,
    openapi: Annotated[
        Path | None, typer.Option(help="Draft a wire profile from this OpenAPI document (JSON).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the draft into this file; it must not exist.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Authority of a proxy that looks into TLS (PEM).")] = None,
    proxy: Annotated[str, typer.Option(help="Forward proxy: http://HOST:PORT.")] = "",
    connect: Annotated[bool, typer.Option(help="Also log in and ask for jobs; no job is taken.")] = True,
) -> None:
    """Try a connection file: what is in it, the login, the profile.

    Exit code 1 when a step failed.

    Example: tocsin evidence setup clearance.json --openapi swagger.json --out profile.toml
    """
    given: dict[str, Any] = {"name": "setup", "type": "clearance", "connection_file": str(connection)}
    given |= {"profile_file": str(profile or ""), "shared_areas": []}
    given |= {"tls": {"ca_file": str(ca_file or "")}} | ({"proxy": {"url": proxy}} if proxy else {})
    settings = _settings(given)
    steps = _tried(settings, Path.cwd()) if connect else _read(settings)
    _show(invocation(context).json, {"setup": steps})
    if openapi is not None:
        _draft(openapi, out)
    if not all(step.ok for step in steps):
        raise typer.Exit(FAILED)


def _settings(given: dict[str, Any]) -> "EvidenceSettings":
    from pydantic import ValidationError

    from tocsin.evidence.settings import EvidenceSettings

    try:
        return EvidenceSettings.model_validate(given)
    except ValidationError as error:
        stop("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors()), WRONG_USE)


def _read(settings: "EvidenceSettings") -> "Sequence[CheckStep]":
    from tocsin.evidence.checking import read
    from tocsin.evidence.registry.connection import load_connection

    return [read(load_connection(settings.connection_file, settings.allow_world_readable))]


def _tried(settings: "EvidenceSettings", folder: Path) -> "Sequence[CheckStep]":
    import asyncio
    import random

    from tocsin.engine.clock import LoopClock
    from tocsin.evidence.checking import check as try_all

    return asyncio.run(try_all(settings, folder, LoopClock(), random.SystemRandom()))


def _draft(openapi: Path, out: Path | None) -> None:
    from tocsin.evidence.registry.drafting import DocumentUnreadable, draft

    try:
        text = draft(openapi.read_bytes())
    except OSError as error:
        stop(f"{openapi} cannot be read: {error.strerror}", WRONG_USE)
    except DocumentUnreadable as error:
        stop(f"{openapi}: {error}", WRONG_USE)
    if out is None:
        return typer.echo(text)
    try:
        with out.open("x", encoding="utf-8") as written:
            written.write(text)
    except OSError as error:
        stop(f"{out} cannot be written: {error.strerror}", FAILED)
    return typer.echo(f"draft written to {out}: look over every line marked ?")


def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Only this agent.")] = "",
) -> None:
    """Try the configured agents: files, login, jobs, clock, disk.

    Takes no job. Exit code 1 when a step failed.

    Example: tocsin evidence check city
    """
    given = invocation(context)
    configured = given.configuration()
    entries = [entry for entry in configured.evidence if name in ("", entry.name)]
    if not entries:
        stop(f"there is no [[evidence]] named {name}" if name else "there is no [[evidence]]", WRONG_USE)
    folder = Path(configured.gateway.data_dir)
    tried = {entry.name: _tried(entry, folder) for entry in entries}
    _show(given.json, tried)
    if not all(step.ok for steps in tried.values() for step in steps):
        raise typer.Exit(FAILED)


def _show(as_json: bool, tried: "dict[str, Sequence[CheckStep]]") -> None:
    from tocsin.cli.check import step_lines

    if as_json:
        return print_json(tried)
    for name, steps in tried.items():
        for line in step_lines(name, steps):
            typer.echo(line)
    return None


def agents(context: typer.Context) -> None:
    """List agents: state, jobs on offer and under way.

    Example: tocsin evidence agents
    """
    given = invocation(context)
    items = given.client("read").get("/evidence")["items"]
    if given.json:
        return print_json(items)
    columns = ("name", "type", "state", "last answer", "on offer", "under way", "spool MB", "reason")
    print_table(columns, [_agent_row(item) for item in items], "no agents: [[evidence]] in the configuration")
    for item in items:
        for blocked in item["blocked"]:
            typer.echo(printable(f"{item['name']}: not taken: {blocked}"))
    return None


def _agent_row(item: dict[str, Any]) -> tuple[str, ...]:
    state = f"{item['state']}, dry run" if item["dry_run"] else item["state"]
    counts = (str(item["offered"]), str(len(item["running"])), f"{item['spool_bytes'] / 1e6:.0f}")
    return (item["name"], item["type"], state, local_time(item["last_answer"]), *counts, item["reason"])


def pause(context: typer.Context, name: Name) -> None:
    """Take no more jobs; those under way go on to their end.

    Example: tocsin evidence pause city
    """
    _ordered(context, name, "pause")


def drain(
    context: typer.Context,
    name: Name,
    minutes: Annotated[float, typer.Option(min=0, help="Wait no longer than this.")] = 60.0,
) -> None:
    """Take no more jobs and wait until those under way have ended.

    So that nothing is interrupted when the machine is stopped. It stays paused, also after a start: `resume` ends that.

    Exit code 1 when jobs are still under way after the time.

    Example: tocsin evidence drain city --minutes 30
    """
    given = invocation(context)
    client, until = given.client("operate", "read"), time.monotonic() + minutes * 60
    told = client.post(f"/evidence/{quote(name, safe='')}/pause")
    while (left := [*told["running"], *told["unsettled"]]) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        told = next((one for one in client.get("/evidence")["items"] if one["name"] == name), told)
    if told["state"] == "elsewhere":
        stop(f"another node works for {name}: drain it there", FAILED)
    print_json(told) if given.json else typer.echo(_drained(name, left))
    if left:
        raise typer.Exit(FAILED)


def _drained(name: str, left: Sequence[str]) -> str:
    return f"{name}: still under way: {', '.join(left)}" if left else f"{name}: nothing is under way, none is taken"


def resume(context: typer.Context, name: Name) -> None:
    """Take jobs again.

    Example: tocsin evidence resume city
    """
    _ordered(context, name, "resume")


def accept(context: typer.Context, name: Name) -> None:
    """Let the next discovery list far fewer devices than the last.

    Example: tocsin evidence accept city
    """
    _ordered(context, name, "accept")


def _ordered(context: typer.Context, name: str, order: str) -> None:
    given = invocation(context)
    told = given.client("operate", "read").post(f"/evidence/{quote(name, safe='')}/{order}")
    print_json(told) if given.json else typer.echo(f"{name}: {told['state']}, {len(told['running'])} jobs under way")


def jobs(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(help="Show this one with its files.")] = None,
    agent: Annotated[str, typer.Option(help="Only of this agent.")] = "",
    state: Annotated[str, typer.Option(help="Only in this state, such as fetching or ended.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List evidence jobs; with an id: that one and its files.

    Example: tocsin jobs --agent city --state ended
    """
    given = invocation(context)
    client = given.client("read")
    if job is not None:
        return _one(given.json, client.get(f"/jobs/{quote(job, safe='')}"))
    items = list(client.pages("/jobs", limit, agent=agent, state=state))
    if given.json:
        return print_json(items)
    columns = ("id", "agent", "registry's id", "type", "device", "state", "done", "outcome", "updated", "reason")
    return print_table(columns, [_row(item) for item in items], "no jobs")


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    who = (item["id"], item["agent"], item["registry_id"], item["type"], item["device"], item["state"])
    done = (f"{item['progress'] / 10:.0f} %", item["outcome"] or "")
    return (*who, *done, local_time(item["updated_at"]), item["reason"])


def _one(as_json: bool, item: dict[str, Any]) -> None:
    if as_json:
        return print_json(item)
    for name in ("id", "agent", "registry_id", "type", "device", "state", "outcome", "reason", "approved_by"):
        if item[name]:
            typer.echo(f"{name:12} {printable(str(item[name]))}")
    if item["start"]:
        typer.echo(f"{'requested':12} {local_time(item['start'])} to {local_time(item['end'])}")
    columns = ("attempt", "file", "state", "from", "to", "bytes", "sha256", "file id")
    return print_table(columns, [_file_row(file) for file in item["files"]], "no files")


def _file_row(file: dict[str, Any]) -> tuple[str, ...]:
    times = (local_time(file["start"]), local_time(file["end"]))
    facts = (str(file["size"]), file["sha256"], file["file_id"])
    return (str(file["attempt"]), file["name"], file["state"], *times, *facts)


for _command in (setup, check, agents, pause, drain, resume, accept, *COMMANDS):
    app.command()(_command)
