"""Areas and devices in a file: CSV or TOML to rows that know their line, and back. Pure but for reading the file."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from tocsin.config.document import Unreadable, read
from tocsin.config.problems import Problem, did_you_mean

LARGEST = 64 * 1024 * 1024
ADDRESS = "address:"
AREA_COLUMNS = ("name", "customer_id", "time_zone")
DEVICE_COLUMNS = ("id", "name", "type", "area", "description", "customer_id", "time_zone", "routine", "schedule")
BATTERY_COLUMNS = ("battery_low", "battery_critical")
COLUMNS = ("kind", *DEVICE_COLUMNS, *BATTERY_COLUMNS)
_TABLES = ("areas", "devices")
_PERCENT = re.compile(r"[0-9]{1,3}")


class Row(Struct, frozen=True):
    """One area or device of a file. `problem`: why it cannot even be sent; then `fields` is empty."""

    what: str
    line: int
    fields: Mapping[str, Any]
    problem: str = ""


def rows_of(file: Path) -> list[Row]:
    """All rows of a .csv or .toml file. Raises Unreadable when it is neither."""
    suffix = file.suffix.lower()
    if suffix == ".toml":
        return list(_toml_rows(file))
    if suffix == ".csv":
        return list(_csv_rows(file, _text(file)))
    raise Unreadable(Problem(str(file), 1, "", "is neither .csv nor .toml"))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(Problem(str(file), 1, "", f"cannot be read: {error.strerror}")) from None
    if len(raw) > LARGEST:
        raise Unreadable(Problem(str(file), 1, "", "larger than 64 MiB: divide it"))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(Problem(str(file), line, "", "is not UTF-8 text", hint="save it as CSV UTF-8")) from None


def _csv_rows(file: Path, text: str) -> Iterator[Row]:
    first = text.partition("\n")[0]
    # Spreadsheets write semicolons where the comma divides decimals.
    divided = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=divided, strict=True)
    try:
        columns = _columns(file, next(reader, []))
        begins = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _csv_row(begins, columns, cells)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(Problem(str(file), reader.line_num, "", f"cannot be read as CSV: {error}")) from None


def _columns(file: Path, header: Sequence[str]) -> list[str]:
    names = [name.strip() if name.strip().startswith(ADDRESS) else name.strip().lower() for name in header]
    for name in names:
        if name not in COLUMNS and not (name.startswith(ADDRESS) and len(name) > len(ADDRESS)):
            hint = f'{did_you_mean(name, COLUMNS)}; addresses are in columns such as "{ADDRESS}arc"'
            raise Unreadable(Problem(str(file), 1, "", f"there is no column {name!r}", hint=hint))
        if names.count(name) > 1:
            raise Unreadable(Problem(str(file), 1, "", f"the column {name} is there twice"))
    return names


def _csv_row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) > len(columns):
        return Row("device", line, {}, f"{len(cells)} cells where the first line names {len(columns)} columns")
    found = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
    what = found.pop("kind", "") or "device"
    if what not in ("area", "device"):
        return Row("device", line, {}, f"kind: {what!r} is neither area nor device")
    addresses = {name.removeprefix(ADDRESS): cell for name, cell in found.items() if name.startswith(ADDRESS)}
    plain = {name: cell for name, cell in found.items() if not name.startswith(ADDRESS)}
    fields = _area_fields(plain) if what == "area" else _device_fields(plain)
    if isinstance(fields, str):
        return Row(what, line, {}, fields)
    return Row(what, line, {**fields, "addresses": addresses} if addresses else fields)


def _area_fields(cells: Mapping[str, str]) -> dict[str, str] | str:
    """An area's row: the column area is the one it lies in. A sentence when another cell is filled."""
    odd = next((name for name, cell in cells.items() if cell and name not in (*AREA_COLUMNS, "area")), None)
    if odd is not None:
        return f"{odd}: an area has none; its name stands in the column name, the area it lies in in the column area"
    known = {name: cell for name, cell in cells.items() if name in AREA_COLUMNS}
    return {**known, "parent": cells["area"]} if "area" in cells else known


def _device_fields(cells: Mapping[str, str]) -> dict[str, Any] | str:
    """A device's row: without battery_low it has no levels of its own. A sentence when one is no number."""
    plain: dict[str, Any] = {name: cell for name, cell in cells.items() if name not in BATTERY_COLUMNS}
    levels = {name: cells[name] for name in BATTERY_COLUMNS if cells.get(name)}
    odd = next((name for name, level in levels.items() if not _PERCENT.fullmatch(level)), None)
    if odd is not None:
        return f"{odd}: {levels[odd][:20]!r} is no whole number of percent"
    if levels:
        return {**plain, "thresholds": {name: int(level) for name, level in levels.items()}}
    return {**plain, "thresholds": None} if "battery_low" in cells else plain


def _toml_rows(file: Path) -> Iterator[Row]:
    document = read(file)
    for key in document.data:
        if key not in _TABLES:
            hint = "only [[areas]] and [[devices]] are taken over; the rest belongs into the configuration"
            raise Unreadable(document.problem((key,), "is not taken over", hint))
    for key in _TABLES:
        entries = document.data.get(key, [])
        if not isinstance(entries, list):
            raise Unreadable(document.problem((key,), "a list of tables is expected here", f"write [[{key}]]"))
        for index, entry in enumerate(entries):
            line = document.problem((key, index), "").line
            if isinstance(entry, dict):
                yield Row(key.removesuffix("s"), line, entry)
            else:
                yield Row(key.removesuffix("s"), line, {}, f"a table is expected here: write [[{key}]]")


def as_csv(areas: Iterable[Mapping[str, Any]], devices: Iterable[Mapping[str, Any]]) -> str:
    """The file from which `rows_of` makes the same areas and devices. Fields as GET /areas and /devices name them."""
    rows = [("area", area) for area in areas] + [("device", device) for device in devices]
    names = sorted({name for _, one in rows for name in one["addresses"]})
    held = io.StringIO(newline="")
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{ADDRESS}{name}" for name in names)])
    for what, one in rows:
        cells = {**one, "area": one["parent"]} if what == "area" else one
        cells = {**cells, **(cells.get("thresholds") or {})}
        plain = [what, *(str(cells.get(column, "")) for column in (*DEVICE_COLUMNS, *BATTERY_COLUMNS))]
        writer.writerow([*plain, *(one["addresses"].get(name, "") for name in names)])
    return held.getvalue()


def as_toml(areas: Iterable[Mapping[str, Any]], devices: Iterable[Mapping[str, Any]]) -> str:
    """The same as tables of the configuration."""
    tables = [_table("areas", ("name", "parent", *AREA_COLUMNS[1:]), area) for area in areas]
    tables += [_table("devices", DEVICE_COLUMNS, device) for device in devices]
    return "\n".join(tables)


def _table(name: str, columns: Sequence[str], one: Mapping[str, Any]) -> str:
    lines = [f"{column} = {_quoted(str(one[column]))}" for column in columns if one.get(column)]
    levels = ", ".join(f"{level} = {percent}" for level, percent in (one.get("thresholds") or {}).items())
    if levels:
        lines.append(f"thresholds = {{ {levels} }}")
    listed = ", ".join(f"{_quoted(key)} = {_quoted(value)}" for key, value in one["addresses"].items())
    if listed:
        lines.append(f"addresses = {{ {listed} }}")
    return "\n".join([f"[[{name}]]", *lines, ""])


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's too, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
