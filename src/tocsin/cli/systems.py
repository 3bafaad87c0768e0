"""`systems`: what is read and how it goes. `sync`: read one now and show what changed."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, on_terminal, stop
from tocsin.cli.output import print_json, print_table, printable
from tocsin.cli.tables import local_time

_LOOK_EVERY_S = 0.3
_SHOWN = 200


def systems(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show this one with its last runs.")] = None,
    types: Annotated[bool, typer.Option("--types", help="List the types there are instead; needs no gateway.")] = False,
) -> None:
    """List on-prem systems; with a name: that one and its runs.

    State, devices by status, last and next sync.

    Example: tocsin systems xp-hq
    """
    given = invocation(context)
    if types:
        return _types(given.json)
    client = given.client("read")
    if name is not None:
        found = client.get(f"/systems/{quote(name, safe='')}")
        return print_json(found) if given.json else _print_one(found["system"], found["runs"])
    items = client.get("/systems")["items"]
    if given.json:
        return print_json(items)
    columns = ("name", "type", "state", "since", "devices", "not sent", "held", "last sync", "next sync", "reason")
    print_table(columns, [_row(item) for item in items], "no systems: [[systems]] in the configuration")
    for item in items:
        for note in (item["last_sync"] or {}).get("notes", []):
            typer.echo(printable(f"{item['name']}: {note}"))
    return None


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        *(item["name"], item["type"], item["status"], local_time(item["since"])),
        *(_devices(item), str(item["unmapped"]), _held(item), _last_sync(item), _next_sync(item), item["error"]),
    )


def _devices(item: dict[str, Any]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(item["devices"].items())) or "0"


def _held(item: dict[str, Any]) -> str:
    """Where a system lists nothing any more, the first reading that says so knows of no number."""
    waits = item["held"] or (item["last_sync"] or {}).get("state") == "held"
    return (str(item["held"]) if item["held"] else "yes") if waits else "0"


def _last_sync(item: dict[str, Any]) -> str:
    run = item["last_sync"]
    return f"{local_time(run['finished_at'])} {run['state']}, {_counted(run['counts'])}" if run else "none yet"


def _next_sync(item: dict[str, Any]) -> str:
    run = item["run"]
    if run and not run["finished_at"]:
        return f"under way: {run['counts']['seen']} devices seen"
    return local_time(item["next_sync"]) if item["next_sync"] else "by another node"


def _print_one(item: dict[str, Any], runs: Sequence[dict[str, Any]]) -> None:
    facts = (
        ("system", f"{item['name']}, {item['type']}"),
        ("state", f"{item['status']} since {local_time(item['since'])}"),
        ("reason", item["error"]),
        ("devices", _devices(item)),
        ("not sent", f"{item['unmapped']} without customer" if item["unmapped"] else ""),
        ("held", f"{_held(item)}; `tocsin sync {item['name']} --accept-removals`" if _held(item) != "0" else ""),
        ("last sync", _last_sync(item)),
        ("complete", local_time(item["last_complete_sync"])),
        ("next sync", _next_sync(item)),
        ("last change", local_time(item["last_event"])),
        ("corrected", str(item["reconcile_corrections"] or "")),
    )
    for word, fact in facts:
        if fact:
            typer.echo(printable(f"{word:12} {fact}"))
    typer.echo("")
    columns = ("run", "began", "what", "why", "state", "counts")
    print_table(columns, [_run_row(run) for run in runs], "it was not read yet")
    for run in runs:
        for text in (*run["notes"], *([run["error"]] if run["error"] else [])):
            typer.echo(printable(f"{run['id']}: {text}"))


def _run_row(run: dict[str, Any]) -> tuple[str, ...]:
    what = "dry run" if run["dry_run"] else "sync, removals accepted" if run["accept_removals"] else "sync"
    why = f"{run['trigger']}, {run['why']}" if run["why"] else run["trigger"]
    return run["id"], local_time(run["started_at"]), what, why, run["state"], _counted(run["counts"])


def _types(as_json: bool) -> None:
    from tocsin.systems.registry import SYSTEM_TYPES

    found = [(each.name, each.title, each.published) for each in SYSTEM_TYPES.values()]
    if as_json:
        return print_json([dict(zip(("type", "title", "published"), each, strict=True)) for each in found])
    return print_table(("type", "title", "what is published of it"), found)


def sync(
    context: typer.Context,
    system: Annotated[str, typer.Argument(help="Name of the system.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")] = False,
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Devices that are gone are gone, however many.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait for its end.")] = True,
) -> None:
    """Read a system's inventory now; shows what changed.

    Exit code 1 when it failed, was not complete, or removals are held.

    Example: tocsin sync xp-hq --dry-run
    """
    given = invocation(context)
    if dry_run and accept_removals:
        stop("--dry-run changes nothing, so there is nothing to accept: leave one of the two out", WRONG_USE)
    client = given.client("operate", "read")
    asked = {"dry_run": dry_run, "accept_removals": accept_removals}
    run = client.post(f"/systems/{quote(system, safe='')}/sync", asked)
    if run["joined"] and not given.json:
        typer.echo(f"run {run['id']} is under way already", err=True)
    run = _ended(client, run) if wait else run
    print_json(run) if given.json else _print(run)
    if run["finished_at"] and run["state"] != "succeeded":
        raise typer.Exit(FAILED)


def _ended(client: Any, run: dict[str, Any]) -> dict[str, Any]:
    while not run["finished_at"]:
        time.sleep(_LOOK_EVERY_S)
        run = client.get(f"/runs/{run['id']}")
        if on_terminal():
            print(f"\r{run['state']}: {run['counts']['seen']} devices", end="", file=sys.stderr, flush=True)
    if on_terminal():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
    return run


def _print(run: dict[str, Any]) -> None:
    lines = run["differences"]
    for line in lines[:_SHOWN]:
        typer.echo(printable(f"{line['what']} {line['id']}  {line['name']}  ({line['detail']})"))
    if len(lines) > _SHOWN:
        typer.echo(f"… and {len(lines) - _SHOWN} more; --json shows all")
    for note in run["notes"]:
        typer.echo(printable(f"note: {note}"))
    if run["error"]:
        typer.echo(printable(f"error: {run['error']}"), err=True)
    would = " (dry run: nothing was changed)" if run["dry_run"] else ""
    typer.echo(f"{run['system']}: {run['state']}, {_counted(run['counts'])}{would}")


def _counted(counts: dict[str, int]) -> str:
    parts = [f"{counts[name]} {name}" for name in ("seen", "added", "changed", "removed") if name in counts]
    parts += [f"{counts[name]} {name}" for name in ("missing", "withheld", "unmapped", "invalid") if counts.get(name)]
    return ", ".join(parts)
