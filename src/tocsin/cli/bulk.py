"""`import` and `export`: areas, devices and addresses in bulk, through the running gateway."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.cli.output import count, print_json, printable

if TYPE_CHECKING:
    from tocsin.cli.bulk_files import Row
    from tocsin.cli.client import Client

_MOST_SHOWN = 100
_ALL = 1_000_000


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .csv or .toml file; `tocsin export` writes one to start from.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out rows that cannot be used.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
) -> None:
    """Write areas, devices and addresses from a file.

    Shows first what would change; a second time nothing does. What the file does not mention stays, an empty address
    takes one out. With a row that cannot be used nothing is changed, unless --skip-bad. Exit code 1 if there is one.

    Example: tocsin import devices.csv --dry-run
    """
    given = invocation(context)
    rows = _rows(file)
    client = given.client("devices:write")
    found = _asked(client, rows, "dry_run=true")
    bad = _bad(rows, found)
    if not given.json:
        _show(file, found, bad)
    write = not dry_run and (skip_bad or not bad) and _changes(found)
    if write and not yes and not given.json and sys.stdin.isatty():
        write = typer.confirm("Write this?")
    if write:
        found = _asked(client, rows, "skip_bad=true" if skip_bad else "")
        bad = _bad(rows, found)
    if given.json:
        print_json({**found, "refused": bad})
    else:
        _conclude(found, bad, dry_run)
    if bad:
        raise typer.Exit(FAILED)


def _rows(file: Path) -> "list[Row]":
    from tocsin.cli.bulk_files import rows_of
    from tocsin.config.document import Unreadable

    try:
        return rows_of(file)
    except Unreadable as unreadable:
        typer.echo(str(unreadable.problem), err=True)
        stop("nothing was changed", WRONG_USE)


def _sent(rows: "Sequence[Row]", what: str) -> "list[Row]":
    return [row for row in rows if row.what == what and not row.problem]


def _asked(client: "Client", rows: "Sequence[Row]", query: str) -> dict[str, Any]:
    import msgspec

    body = {f"{what}s": [row.fields for row in _sent(rows, what)] for what in ("area", "device")}
    # Dates and times of a TOML file become text, which the gateway then refuses by row.
    answer: dict[str, Any] = client.post(f"/import?{query}", msgspec.to_builtins(body))
    return answer


def _bad(rows: "Sequence[Row]", found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that cannot be used, by line."""
    lines = {what: [row.line for row in _sent(rows, what)] for what in ("area", "device")}
    bad = [{"line": row.line, "what": row.what, "id": "", "reason": row.problem} for row in rows if row.problem]
    for one in found["refused"]:
        line = lines[one["what"]][one["n"] - 1]
        bad.append({"line": line, "what": one["what"], "id": one["id"], "reason": one["reason"]})
    return sorted(bad, key=lambda one: one["line"])


def _changes(found: dict[str, Any]) -> bool:
    return any(found[kind][how] for kind in ("areas", "devices") for how in ("added", "changed"))


def _show(file: Path, found: dict[str, Any], bad: Sequence[dict[str, Any]]) -> None:
    for kind in ("areas", "devices"):
        _echo(_diff_lines(kind.removesuffix("s"), found[kind]))
    _echo(f"warning: {one['id']}: {one['text']}" for one in found["warnings"])
    _echo(f"{file}:{one['line']}: {' '.join(filter(None, (one['what'], one['id'])))}: {one['reason']}" for one in bad)


def _diff_lines(what: str, changes: dict[str, Any]) -> Iterator[str]:
    for name in changes["added"]:
        yield f"+ {what} {name}"
    for one in changes["changed"]:
        fields = "; ".join(
            f"{field}: {was or '(none)'} → {will or '(none)'}" for field, (was, will) in one["fields"].items()
        )
        yield f"~ {what} {one['id']}: {fields}"


def _echo(lines: Iterable[str]) -> None:
    """The first hundred; --json has them all."""
    waiting = iter(lines)
    for line in islice(waiting, _MOST_SHOWN):
        typer.echo(printable(line))
    more = sum(1 for _ in waiting)
    if more:
        typer.echo(f"  … and {more} more like these; --json shows all")


def _conclude(found: dict[str, Any], bad: Sequence[object], dry_run: bool) -> None:
    parts = [
        f"{kind}: {len(found[kind]['added'])} new, {len(found[kind]['changed'])} changed, "
        f"{found[kind]['unchanged']} as they are"
        for kind in ("areas", "devices")
    ]
    written = found["applied"] and _changes(found)
    typer.echo(f"{'; '.join(parts)}; {count(len(bad), 'row')} cannot be used")
    if written:
        typer.echo("written")
    elif dry_run:
        typer.echo("nothing was changed: a dry run")
    elif bad and not found["applied"]:
        typer.echo("nothing was changed: correct these rows, or leave them out with --skip-bad")
    else:
        typer.echo("nothing was changed")


def export(
    context: typer.Context,
    form: Annotated[Literal["csv", "toml"], typer.Option("--format", help="csv, or toml.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write into this file instead; .toml means toml.")] = None,
) -> None:
    """Print all areas, devices and addresses.

    In the form that `tocsin import` reads; without a change importing it changes nothing.

    Example: tocsin export --out devices.csv
    """
    from tocsin.cli.bulk_files import as_csv, as_toml

    given = invocation(context)
    client = given.client("read")
    areas = client.get("/areas")["items"]
    devices = [_as_written(device) for device in client.pages("/devices", _ALL)]
    if given.json:
        return print_json({"areas": areas, "devices": devices})
    as_table = form == "toml" or (out is not None and out.suffix.lower() == ".toml")
    text = as_toml(areas, devices) if as_table else as_csv(areas, devices)
    if out is None:
        return typer.echo(text, nl=False)
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        stop(f"{out} cannot be written: {error.strerror}", FAILED)
    return typer.echo(f"{out}: {count(len(areas), 'area')}, {count(len(devices), 'device')}")


def _as_written(device: dict[str, Any]) -> dict[str, Any]:
    """Without what its area hands down, which would otherwise become its own."""
    from tocsin.api.written import duration_as_written

    own = {**device, **dict.fromkeys(device["inherited"], "")}
    return {**own, "routine": duration_as_written(device["routine_s"])}
