"""Without a running gateway: `render` shows the exact bytes, `explain` who would be told and why."""

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.context import FAILED, WRONG_USE, Invocation, invocation, stop
from tocsin.cli.output import print_json, print_table
from tocsin.config.problems import did_you_mean
from tocsin.destinations.trace import printable
from tocsin.engine.contracts import Refused, Rejected, Rendered
from tocsin.engine.routing import Verdict
from tocsin.model.event import Event, Photo

if TYPE_CHECKING:
    from tocsin.app.offline import Offline

EventFile = Annotated[str, typer.Option("--event", help='A file with the JSON of POST /api/v1/events; "-": stdin.')]
_LARGEST = 32 * 1024 * 1024


def _offline(given: Invocation) -> "Offline":
    from tocsin.app.offline import Offline
    from tocsin.destinations.registry import DESTINATION_TYPES

    return Offline(given.configuration(), DESTINATION_TYPES)


def _read(offline: "Offline", event: str) -> tuple[Event, list[Photo]]:
    try:
        data = sys.stdin.buffer.read(_LARGEST) if event == "-" else Path(event).read_bytes()
    except OSError as error:
        stop(f"the event file {event} cannot be read: {error.strerror}", WRONG_USE)
    try:
        return offline.event(data, "preview")
    except Refused as refused:
        stop(f"{'standard input' if event == '-' else event} is no event: {refused}", WRONG_USE)


def render(
    context: typer.Context,
    dest: Annotated[str, typer.Argument(help="The destination's name.")],
    event: EventFile,
    out: Annotated[Path | None, typer.Option(help="Write the bytes into this folder instead.")] = None,
) -> None:
    """Show the exact bytes that would go out, sent nowhere.

    Example: tocsin render arc --event motion.json
    """
    given = invocation(context)
    offline = _offline(given)
    if dest not in offline.destinations:
        stop(f'there is no destination "{dest}"; {did_you_mean(dest, offline.destinations)}', WRONG_USE)
    happened, photos = _read(offline, event)
    try:
        rendered = offline.render(dest, happened, photos)
    except Rejected as rejected:
        stop(f"{dest} would set this event aside: {rejected}", FAILED)
    if out is not None:
        _write(rendered, out)
    elif given.json:
        print_json([_as_json(one) for one in rendered])
    else:
        for one in rendered:
            _show(one)


def _as_json(one: Rendered) -> dict[str, str]:
    exact = base64.b64encode(one.data).decode()
    return {"name": one.name, "text": visible(one.data), "base64": exact, "note": one.note}


def _write(rendered: Sequence[Rendered], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in rendered:
        file = folder / Path(one.name).name
        file.write_bytes(one.data)
        typer.echo(f"{file}  {len(one.data)} bytes")


def _show(one: Rendered) -> None:
    note = f"  {one.note}" if one.note else ""
    typer.echo(f"--- {one.name}, {len(one.data)} bytes{note}")
    typer.echo(visible(one.data))


def visible(data: bytes) -> str:
    """Text with its control bytes as `<CR>`; of a picture or other binary data only the size."""
    text = data.decode("utf-8", "replace")
    odd = sum(not (char.isprintable() or char in "\r\n\t") or char == "\ufffd" for char in text)
    return f"({len(data)} bytes, not text)" if odd > len(text) // 10 else printable(data)


def explain(context: typer.Context, event: EventFile) -> None:
    """Say which destinations would be told of an event, and why.

    Per destination: yes with the address and where it came from, or no with the rule.

    Exit code 1 if a destination wants the event but has no address for it.

    Example: tocsin explain --event motion.json
    """
    given = invocation(context)
    offline = _offline(given)
    happened, _ = _read(offline, event)
    verdicts = offline.explain(happened)
    if given.json:
        print_json({"flags": happened.flags, "destinations": verdicts})
    else:
        _print_verdicts(happened, verdicts)
    if any(verdict.addressed.problem for verdict in verdicts):
        raise typer.Exit(FAILED)


def _print_verdicts(event: Event, verdicts: Sequence[Verdict]) -> None:
    if "unknown_device" in event.flags:
        typer.echo(f"warning: {event.device_id} is not among [[devices]]; the API may know it, this file does not")
    rows = [_row(verdict) for verdict in verdicts]
    print_table(("destination", "told", "address", "from or why not"), rows, "no destinations: nobody is told")
    for verdict in verdicts:
        if verdict.addressed.warning:
            typer.echo(f"warning: {verdict.destination}: {verdict.addressed.warning}")


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    addressed = verdict.addressed
    if not verdict.yes:
        return verdict.destination, "no", "", verdict.reason
    if addressed.problem:
        return verdict.destination, "set aside", "", addressed.problem
    return verdict.destination, "yes", addressed.address, "; ".join(filter(None, (addressed.origin, verdict.note)))
