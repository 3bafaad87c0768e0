"""`ontest`: put an area or devices on test, see what is on test, end it. `links`: an event's login-free link."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from tocsin.cli.context import WRONG_USE, invocation, stop
from tocsin.cli.output import print_json, print_table


def ontest(
    context: typer.Context,
    area: Annotated[str | None, typer.Argument(help="The area; areas below it go with it.")] = None,
    for_: Annotated[str, typer.Option("--for", help='How long, such as "2h"; at most 7 days.')] = "",
    why: Annotated[str, typer.Option(help="The reason, for whoever reads it later.")] = "",
    device: Annotated[list[str], typer.Option(help="Only this device of the area; may be repeated.")] = [],  # noqa: B006
    dest: Annotated[list[str], typer.Option(help="Only towards this destination; may be repeated.")] = [],  # noqa: B006
    include: Annotated[
        list[str],
        typer.Option(help="Also this kind, which stays real otherwise; may be repeated."),
    ] = [],  # noqa: B006
    end: Annotated[bool, typer.Option("--end", help="End it: of the area, or everything that is on test.")] = False,
) -> None:
    """Put an area or devices on test; without an area: list.

    Events are kept and marked. Stations whose format can say so get them as tests, the others not at all.
    Real stay panic, duress, fire, medical, gas, and what is said only once: connection_lost, connection_restored,
    supervision_lost, supervision_restored; --include puts them on test too.
    It ends by itself, with a reminder before. The same once more with another --for makes it longer or shorter.

    Example: tocsin ontest "North depot" --for 2h --why "battery change"
    """
    given = invocation(context)
    if device and area is None:
        stop("--device needs its area before it", WRONG_USE)
    if end:
        return _end(given.client("operate", "read"), given.json, area, device)
    if area is None:
        return _list(given.client("read").get("/tests"), given.json)
    if not for_ or not why:
        stop(f'say how long and why: tocsin ontest "{area}" --for 2h --why "battery change"', WRONG_USE)
    body = {"for": for_, "reason": why, "devices": device, "destinations": dest, "include": include}
    test = given.client("operate").post(f"/areas/{quote(area, safe='')}/test", body)
    if given.json:
        return print_json(test)
    return typer.echo(f"{_subject(test)} is on test until {_minute(test['until'])}")


def _end(client: Any, as_json: bool, area: str | None, devices: list[str]) -> None:
    areas = [area] if area else list(dict.fromkeys(test["area"] for test in client.get("/tests")["items"]))
    only = urlencode({"device": devices}, doseq=True)
    ended = []
    for name in areas:
        ended += client.delete(f"/areas/{quote(name, safe='')}/test" + (f"?{only}" if only else ""))["items"]
    if as_json:
        return print_json(ended)
    for test in ended:
        typer.echo(f"{_subject(test)} is no longer on test: alarms are real")
    return None if ended else typer.echo("nothing is on test")


def _list(found: Any, as_json: bool) -> None:
    if as_json:
        return print_json(found["items"])
    columns = ("area", "devices", "destinations", "until", "by", "reason", "also")
    rows = [
        (
            test["area"],
            ", ".join(test["devices"]) or "all",
            ", ".join(test["destinations"]) or "all",
            _minute(test["until"]),
            test["by"],
            test["reason"],
            ", ".join(test["include"]),
        )
        for test in found["items"]
    ]
    return print_table(columns, rows, "nothing is on test")


def _minute(instant: str) -> str:
    """Instants of the API are UTC."""
    return f"{instant[:16].replace('T', ' ')} UTC"


def _subject(test: Any) -> str:
    devices = f"{', '.join(test['devices'])} in " if test["devices"] else ""
    at = f" at {', '.join(test['destinations'])}" if test["destinations"] else ""
    return f"{devices}{test['area']}{at}"


def links(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="The event's id.")],
    revoke: Annotated[bool, typer.Option("--revoke", help="From now on it opens nothing.")] = False,
) -> None:
    """Show an event's login-free link, or revoke it.

    Example: tocsin links 01JZQ5C7Q00000000000000001 --revoke
    """
    given = invocation(context)
    path = f"/events/{quote(event_id, safe='')}/link"
    found = given.client("operate").post(f"{path}/revoke") if revoke else given.client("read").get(path)
    if given.json:
        return print_json(found)
    until = f" until {_minute(found['until'])}" if found["until"] else ", while a delivery with it is on its way"
    return typer.echo(f"{found['url']}  {found['state']}{until if found['state'] == 'valid' else ''}")
