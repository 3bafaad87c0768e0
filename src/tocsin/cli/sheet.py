"""`devices --addresses`: the sheet for the station, of the running gateway or of the configuration alone."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer

from tocsin.cli.context import Invocation
from tocsin.cli.output import print_json, print_table

COLUMNS = ("device_id", "name", "area", "customer_id", "destination", "told", "address", "from", "warning")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def print_sheet(given: Invocation, rows: Sequence[Mapping[str, str]], as_csv: bool) -> None:
    """As table, --json or CSV."""
    if given.json:
        return print_json(rows)
    if as_csv:
        return typer.echo(csv_of(rows), nl=False)
    shown = ("device_id", "name", "area", "destination", "told", "address", "from")
    heads = ("device", "name", "area", "destination", "told", "address", "from or why not")
    print_table(heads, [[row[name] for name in shown] for row in rows], "no devices, or no destinations")
    for warning in dict.fromkeys(row["warning"] for row in rows if row["warning"]):
        typer.echo(f"warning: {warning}")
    return None


def csv_of(rows: Iterable[Mapping[str, str]]) -> str:
    """For spreadsheets: no cell is taken for a formula."""
    held = io.StringIO(newline="")
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = [row[name] for name in COLUMNS]
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULAS) else cell for cell in cells])
    return held.getvalue()


def rows_of(devices: Iterable[Mapping[str, Any]], dest: str) -> Iterator[dict[str, str]]:
    """One row per device and destination, from devices as GET /devices shows them."""
    for device in devices:
        facts = {name: str(device[name]) for name in ("name", "area", "customer_id")}
        for entry in device["destinations"]:
            if dest in ("", entry["destination"]):
                yield {"device_id": device["id"], **facts, **_entry(entry)}


def _entry(entry: Mapping[str, Any]) -> dict[str, str]:
    told = "no" if not entry["told"] else "set aside" if entry["problem"] else "yes"
    return {
        "destination": entry["destination"],
        "told": told,
        "address": entry["address"],
        "from": entry["reason"] or entry["problem"] or entry["origin"],
        "warning": entry["warning"],
    }


def configured(given: Invocation) -> Iterator[dict[str, Any]]:
    """The devices of the configuration in the same form, without a gateway."""
    import msgspec

    from tocsin.api.devices import device_view
    from tocsin.app.offline import Offline
    from tocsin.destinations.registry import DESTINATION_TYPES
    from tocsin.engine.contacts import DeviceState

    offline = Offline(given.configuration(), DESTINATION_TYPES)
    for device in offline.devices.all():
        yield msgspec.to_builtins(device_view(device, offline.sheet, None, DeviceState()))
