"""Acting on the running gateway: `send`, `test`, `retry`, `discard`."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from tocsin.cli.context import FAILED, WRONG_USE, Refusal, invocation, stop
from tocsin.cli.output import print_json
from tocsin.cli.tables import print_trace
from tocsin.model.delivery import OPEN_STATES

if TYPE_CHECKING:
    from tocsin.cli.client import Client

_LOOK_AGAIN_S = 0.2
_GOOD = frozenset({"delivered", "filtered", "superseded"})
Deliveries = Annotated[list[str], typer.Argument(help="As `tocsin deliveries` shows them: 4711.arc")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for receipts.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return when it is on disk.")]


def send(
    context: typer.Context,
    kind: Annotated[str, typer.Option(help="What happened, such as motion or tamper.")],
    device: Annotated[str, typer.Option(help="The device's id.")],
    photo: Annotated[list[Path], typer.Option(help="A JPEG file; may be repeated.")] = [],  # noqa: B006
    actor: Annotated[list[str], typer.Option(help="person:0.93, car …; may be repeated.")] = [],  # noqa: B006
    text: Annotated[str, typer.Option(help="Free text.")] = "",
    state: Annotated[str, typer.Option(help="new, restore or still.")] = "new",
    id: Annotated[str, typer.Option("--id", help="Your own id: a repeat is not a new event.")] = "",  # noqa: A002
    no_wait: NoWait = False,
    timeout: Timeout = 60.0,
) -> None:
    """Send one event and wait for the receipts.

    It goes through the running gateway. Exit code 1 if a station refuses it or does not acknowledge
    in time; the gateway keeps trying all the same.

    Example: tocsin send --kind motion --device cam-1 --actor person:0.93 --photo gate.jpg
    """
    given = invocation(context)
    body: dict[str, Any] = {"kind": kind, "device_id": device, "state": state}
    body |= {name: value for name, value in (("text", text), ("id", id)) if value}
    if actor:
        body["actors"] = [_actor(written) for written in actor]
    if photo:
        body["photos"] = [{"content_type": "image/jpeg", "data": _base64(file)} for file in photo]
    client = given.client("events:write") if no_wait else given.client("events:write", "read")
    _submit(given.json, client, lambda: client.post("/events", body), 0.0 if no_wait else timeout)


def _actor(written: str) -> dict[str, Any]:
    cls, _, confidence = written.partition(":")
    if not confidence:
        return {"class": cls}
    try:
        return {"class": cls, "confidence": float(confidence)}
    except ValueError:
        stop(f"--actor {written}: expected a class and a confidence from 0 to 1, such as person:0.93", WRONG_USE)


def _base64(file: Path) -> str:
    try:
        return base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        stop(f"the photo {file} cannot be read: {error.strerror}", WRONG_USE)


def try_out(
    context: typer.Context,
    dest: Annotated[str, typer.Argument(help="The destination's name.")],
    no_wait: NoWait = False,
    timeout: Timeout = 60.0,
) -> None:
    """Send a test event to one destination, print its answer.

    Example: tocsin test arc
    """
    given = invocation(context)
    client = given.client("operate", "read")
    path = f"/destinations/{quote(dest, safe='')}/test"
    _submit(given.json, client, lambda: client.post(path), 0.0 if no_wait else timeout)


def _submit(as_json: bool, client: "Client", post: Callable[[], Any], timeout: float) -> None:
    taken = post()
    if not as_json:
        _print_taken(taken)
    traces = _receipts(client, taken["id"], timeout) if timeout else []
    if as_json:
        print_json({**taken, "traces": traces})
    else:
        for trace in traces:
            print_trace(trace)
    states = {trace["delivery"]["state"] for trace in traces}
    if states & OPEN_STATES:
        typer.echo(f"not acknowledged within {timeout:g} s; the gateway keeps trying", err=True)
    if not states <= _GOOD or taken.get("photos_refused"):
        raise typer.Exit(FAILED)


def _print_taken(taken: dict[str, Any]) -> None:
    whom = ", ".join(taken["destinations"]) or "nobody: `tocsin explain` says why"
    repeat = " (a repeat: nothing new)" if taken["duplicate"] else ""
    typer.echo(f"{taken['id']} is on disk{repeat}, owed to {whom}")
    for refused in taken.get("photos_refused", ()):
        typer.echo(f"photo {refused['n']} was refused: {refused['reason']}")
    for warning in taken.get("warnings", ()):
        typer.echo(f"warning: {warning}")


def _receipts(client: "Client", event_id: str, timeout: float) -> list[Any]:
    """The traces of the event's deliveries, when none is open any more or time is up."""
    until = time.monotonic() + timeout
    while True:
        owed = client.get(f"/events/{event_id}")["deliveries"]
        if not any(one["state"] in OPEN_STATES for one in owed) or time.monotonic() > until:
            break
        time.sleep(_LOOK_AGAIN_S)
    return [client.get(f"/events/{event_id}/deliveries/{one['destination']}/trace") for one in owed]


def retry(context: typer.Context, delivery: Deliveries) -> None:
    """Try deliveries again that were set aside.

    Also those that expired or were discarded.

    Example: tocsin retry 4711.arc
    """
    _for_each(context, delivery, "retry", "is tried again")


def discard(context: typer.Context, delivery: Deliveries) -> None:
    """Give up deliveries; their station is never told.

    Example: tocsin discard 4711.arc
    """
    _for_each(context, delivery, "discard", "is discarded")


def _for_each(context: typer.Context, deliveries: list[str], verb: str, done: str) -> None:
    client = invocation(context).client("operate")
    failed = False
    for one in deliveries:
        try:
            client.post(f"/deliveries/{quote(one, safe='')}/{verb}")
            typer.echo(f"{one} {done}")
        except Refusal as error:
            failed = True
            typer.echo(f"{one}: {error}", err=True)
    if failed:
        raise typer.Exit(FAILED)
