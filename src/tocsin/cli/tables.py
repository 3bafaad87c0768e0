"""What is there: `events`, `deliveries`, `devices`, `destinations`, `commands`. Read from the running gateway."""

from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Annotated, Any

import typer

from tocsin.cli.context import WRONG_USE, invocation, stop
from tocsin.cli.output import print_json, print_table, printable

_LONGEST_LINE = 800
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most this many.")]


def events(
    context: typer.Context,
    event_id: Annotated[str | None, typer.Argument(help="Show this one with what was sent and answered.")] = None,
    kind: Annotated[str, typer.Option(help="Only this kind, such as motion.")] = "",
    device: Annotated[str, typer.Option(help="Only this device.")] = "",
    source: Annotated[str, typer.Option(help="Only from this source or token.")] = "",
    area: Annotated[str, typer.Option(help="Only this area.")] = "",
    since: Annotated[str, typer.Option(help='From then on: "2h" ago, or 2024-05-30T22:15:04+03:00.')] = "",
    limit: Limit = 20,
) -> None:
    """List events; with an id: that one and the bytes sent.

    Example: tocsin events --kind motion --since 2h
    """
    given = invocation(context)
    client = given.client("read")
    if event_id is not None:
        return _one_event(given.json, client, event_id)
    found = client.pages("/events", limit, kind=kind, device_id=device, source=source, area=area, since=_instant(since))
    items = list(found)
    if given.json:
        return print_json(items)
    columns = ("id", "occurred", "kind", "device", "area", "deliveries")
    return print_table(columns, [_event_row(item) for item in items], "no events")


def _instant(since: str) -> str:
    """ISO 8601 as the API wants it, from a duration ago or an instant with its zone."""
    from tocsin.config.fields import parse_duration

    if not since:
        return ""
    try:
        return (datetime.now(UTC) - timedelta(seconds=parse_duration(since))).isoformat()
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        stop(f'--since {since}: expected a duration such as "2h", or an instant such as 2024-05-30T22:15', WRONG_USE)
    return (at if at.tzinfo else at.astimezone()).isoformat()


def _event_row(item: dict[str, Any]) -> tuple[str, ...]:
    kind = item["kind"] if item["state"] == "new" else f"{item['kind']} ({item['state']})"
    owed = ", ".join(f"{one['destination']} {one['state']}" for one in item["deliveries"])
    return item["id"], local_time(item["occurred_at"]), kind, item["device_id"], item["place"].get("area", ""), owed


def local_time(text: str | None) -> str:
    """In this machine's zone: events of several zones stand below each other."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def _one_event(as_json: bool, client: Any, event_id: str) -> None:
    event = client.get(f"/events/{event_id}")
    traces = [client.get(f"/events/{event_id}/deliveries/{one['destination']}/trace") for one in event["deliveries"]]
    if as_json:
        return print_json({**event, "traces": traces})
    for name in ("id", "kind", "state", "source", "device_id", "occurred_at", "accepted_at", "address", "text"):
        if event[name]:
            typer.echo(f"{name:12} {printable(str(event[name]))}")
    for trace in traces:
        print_trace(trace)
    return None


def print_trace(trace: dict[str, Any]) -> None:
    """One delivery with every try: what was sent, what came back."""
    delivery = trace["delivery"]
    outcome = " ".join(part for part in (delivery["host"], delivery["receipt"], delivery["reason"]) if part)
    address = f" to {delivery['address']}" if delivery["address"] else ""
    typer.echo(printable(f"{delivery['destination']}: {delivery['state']}{address} {outcome}".rstrip()))
    for one in trace["exchanges"]:
        typer.echo(printable(f"    {local_time(one['at'])} {one['host']} {one['result']}"))
        for name in ("sent", "answer", "note"):
            for label, line in zip(chain((name,), repeat("")), one[name].splitlines(), strict=False):
                typer.echo(f"        {label:7}{_shortened(printable(line))}")


def _shortened(line: str) -> str:
    """A picture in base64 would bury the rest; --json has all of it."""
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}… ({len(line)} characters)"


def deliveries(
    context: typer.Context,
    state: Annotated[list[str], typer.Option(help="Only this state; may be repeated.")] = [],  # noqa: B006
    dest: Annotated[str, typer.Option(help="Only this destination.")] = "",
    limit: Limit = 20,
) -> None:
    """List deliveries, newest first.

    Rejected ones were set aside: see retry and discard.

    Example: tocsin deliveries --state rejected
    """
    given = invocation(context)
    items = list(given.client("read").pages("/deliveries", limit, state=list(state), destination=dest))
    if given.json:
        return print_json(items)
    columns = ("id", "accepted", "lane", "state", "address", "tries", "host", "answer or reason")
    return print_table(columns, [_delivery_row(item) for item in items], "no deliveries")


def _delivery_row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        item["id"],
        local_time(item["accepted_at"]),
        item["lane"],
        item["state"],
        item["address"],
        str(item["attempts"]),
        item["host"],
        item["receipt"] or item["reason"],
    )


def devices(
    context: typer.Context,
    area: Annotated[str, typer.Option(help="Only this area.")] = "",
    type: Annotated[str, typer.Option(help="Only this type.")] = "",  # noqa: A002
    customer: Annotated[str, typer.Option(help="Only this customer.")] = "",
    system: Annotated[str, typer.Option(help="Only those of this system.")] = "",
    status: Annotated[str, typer.Option(help="Only online, offline, degraded, disabled or unknown.")] = "",
    addresses: Annotated[bool, typer.Option("--addresses", help="The address of each at every destination.")] = False,
    dest: Annotated[str, typer.Option(help="With --addresses: only this destination.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="With --addresses: as CSV, the sheet for the station.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Of the configuration file, without a gateway.")] = False,
    limit: Limit = 100_000,
) -> None:
    """List devices; --addresses: their numbers at stations.

    Example: tocsin devices --addresses --dest arc --csv > arc.csv
    """
    from tocsin.cli.sheet import configured, print_sheet, rows_of

    given = invocation(context)
    asked = {"area": area, "type": type, "customer_id": customer, "status": status}
    if offline:
        wanted = [(name, value) for name, value in {**asked, "origin": system}.items() if value]
        items = [one for one in configured(given) if all(one[name] == value for name, value in wanted)][:limit]
    else:
        items = list(given.client("read").pages("/devices", limit, system=system, **asked))
    if addresses or as_csv:
        return print_sheet(given, list(rows_of(items, dest)), as_csv)
    if given.json:
        return print_json(items)
    names = ("id", "name", "type", "area", "description", "origin")
    columns = (*names, "status", "last contact", "battery")
    rows = [
        (*(str(item[name]) for name in names), _status(item), local_time(item["last_contact"]), _battery(item))
        for item in items
    ]
    print_table(columns, rows, "no devices: [[devices]] in the configuration, or PUT /api/v1/devices/ID")
    for item in items:
        for warning in item["warnings"]:
            typer.echo(printable(f"warning: {item['id']}: {warning}"))
    return None


def commands(
    context: typer.Context,
    state: Annotated[list[str], typer.Option(help="Only this state; may be repeated.")] = [],  # noqa: B006
    device: Annotated[str, typer.Option(help="Only this device.")] = "",
    limit: Limit = 20,
) -> None:
    """List commands to devices: siren, arm, disarm.

    Newest first, with who gave them and how they ended.

    Example: tocsin commands --device siren-1 --state confirmed
    """
    given = invocation(context)
    items = list(given.client("read").pages("/commands", limit, state=list(state), device_id=device))
    if given.json:
        return print_json(items)
    columns = ("id", "requested", "device", "order", "state", "by", "from", "ended", "result")
    return print_table(columns, [_command_row(item) for item in items], "no commands")


def _command_row(item: dict[str, Any]) -> tuple[str, ...]:
    end = f" until {local_time(item['until'])}" if item["until"] else ""
    order = item["order"] + (" without time limit" if item["no_time_limit"] else end)
    who = (item["requested_by"], item["source_address"])
    return (
        *(item["id"], local_time(item["requested_at"]), item["device_id"], order, item["state"], *who),
        *(local_time(item["ended_at"]), item["result"]),
    )


def _status(item: dict[str, Any]) -> str:
    """Of a system's device also since when, and why where that says something."""
    health = item["health"]
    if not health:
        return str(item["status"])
    why = health.get("detail") or health.get("reason", "").replace("_", " ")
    since = f" since {local_time(health['since'])}" if "since" in health else ""
    return f"{item['status']}{since}" + (f": {why}" if why and item["status"] != "online" else "")


def _battery(item: dict[str, Any]) -> str:
    level = "" if item["battery"] is None else f"{item['battery']} %"
    return level if item["battery_state"] == "good" else f"{level} {item['battery_state']}".strip()


def destinations(
    context: typer.Context,
    types: Annotated[bool, typer.Option("--types", help="List the types there are instead; needs no gateway.")] = False,
) -> None:
    """List destinations: state, queue, last receipt.

    Example: tocsin destinations --types
    """
    given = invocation(context)
    if types:
        return _types(given.json)
    items = given.client("read").get("/destinations")["items"]
    if given.json:
        return print_json(items)
    columns = ("name", "type", "state", "host", "pending", "oldest", "last delivered", "reason")
    return print_table(columns, [_destination_row(item) for item in items], "no destinations")


def _destination_row(item: dict[str, Any]) -> tuple[str, ...]:
    last = item["last_delivered"] or {}
    pending = " ".join(f"{lane} {count}" for lane, count in item["pending"].items() if count)
    state = f"{item['state']}, TLS not verified" if item["insecure"] else item["state"]
    return (
        item["name"],
        item["type"],
        state,
        item["host"],
        pending or "0",
        local_time(item["oldest_pending"]),
        local_time(last.get("delivered_at")),
        item["reason"],
    )


def _types(as_json: bool) -> None:
    from tocsin.destinations.registry import DESTINATION_TYPES

    found = [(each.name, each.title, each.published) for each in DESTINATION_TYPES.values()]
    if as_json:
        return print_json([dict(zip(("type", "title", "published"), each, strict=True)) for each in found])
    return print_table(("type", "title", "what is published of it"), found)
