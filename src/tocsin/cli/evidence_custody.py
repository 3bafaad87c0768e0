"""`evidence custody`: the custody log as a file. `evidence verify`: the log's chain, and files against it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.cli.output import count, print_json, print_table, printable

if TYPE_CHECKING:
    from tocsin.evidence.custody import FileFacts, Line, Verdict

_CHUNK = 1024 * 1024
_ALL = 10**12
_COLUMNS = ("line", "at", "event", "job", "device", "delivered", "origin", "blob")
Agent = Annotated[str, typer.Option(help="Name of the agent: [[evidence]] name.")]


def custody(
    context: typer.Context,
    agent: Agent,
    out: Annotated[Path | None, typer.Option(help="Write into this file instead; it must not exist.")] = None,
) -> None:
    """Print an agent's custody log.

    One line of JSON per event, oldest first.

    Example: tocsin evidence custody --agent city --out custody.jsonl
    """
    texts = _asked(context, agent)
    if out is None:
        for text in texts:
            typer.echo(text)
        return
    try:
        with out.open("x", encoding="utf-8", newline="\n") as written:
            number = sum(1 for text in texts if written.write(text + "\n"))
    except OSError as error:
        stop(f"{out} cannot be written: {error.strerror}", FAILED)
    typer.echo(f"{count(number, 'line')} written to {out}")


def verify(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="Delivered files, or blobs as they were stored.")] = None,
    log: Annotated[Path | None, typer.Option(help="An exported custody log; needs no gateway.")] = None,
    agent: Annotated[str, typer.Option(help="Ask the gateway for the log of this agent.")] = "",
    last: Annotated[str, typer.Option(help="The SHA-256 that the last line must have, as noted elsewhere.")] = "",
) -> None:
    """Check a custody log, and files against it.

    Whether the chain is unbroken, and whether the files are those it tells of.

    Exit code 1 when the chain is broken or a file is not in it.

    Example: tocsin evidence verify clip.mp4 --log custody.jsonl
    """
    from tocsin.evidence.custody import Line, about, lines_of, verify

    if (log is None) == (not agent):
        stop("give either --log FILE or --agent NAME", WRONG_USE)
    read = list(lines_of(_read(log) if log else _asked(context, agent)))
    verdict = verify(read, last)
    lines = [line for line in read if isinstance(line, Line)]
    found = {path: about(lines, _facts(path)) for path in files or []}
    if invocation(context).json:
        print_json({"chain": verdict, "files": {str(path): [one.document for one in of] for path, of in found.items()}})
    else:
        _show(verdict, found)
    if verdict.faults or not verdict.lines or not all(found.values()):
        raise typer.Exit(FAILED)


def _asked(context: typer.Context, agent: str) -> Iterator[str]:
    client = invocation(context).client("read")
    for item in client.pages(f"/evidence/{quote(agent, safe='')}/custody", _ALL):
        yield item["text"]


def _read(log: Path) -> Iterator[str]:
    try:
        with log.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            yield from lines
    except OSError as error:
        stop(f"{log} cannot be read: {error.strerror}", WRONG_USE)


def _facts(path: Path) -> "FileFacts":
    from tocsin.evidence.custody import FileFacts

    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as content:
            while piece := content.read(_CHUNK):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        stop(f"{path} cannot be read: {error.strerror}", WRONG_USE)
    return FileFacts(size, digest.hexdigest())


def _show(verdict: "Verdict", found: "dict[Path, list[Line]]") -> None:
    for fault in verdict.faults:
        typer.echo(printable(fault))
    if not verdict.lines:
        typer.echo("the custody log is empty")
    elif not verdict.faults:
        before = f"; what was before line {verdict.first} has been removed" if verdict.first > 1 else ""
        typer.echo(f"unbroken: lines {verdict.first} to {verdict.last}, the last one {verdict.last_sha256}{before}")
    for path, lines in found.items():
        if not lines:
            typer.echo(f"{path}: not in the custody log: it was changed, or never delivered by this agent")
            continue
        typer.echo(f"{path}: as it was delivered")
        print_table(_COLUMNS, [_row(line) for line in lines])


def _row(line: "Line") -> tuple[str, ...]:
    return (str(line.number), *(line.says(name) for name in _COLUMNS[1:]))


COMMANDS: tuple[Any, ...] = (custody, verify)
"""Of the group `evidence`."""
