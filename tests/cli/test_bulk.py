"""`import`, `export`, `devices --addresses`: files as people make them, against a running gateway and without one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.cli.conftest import Ended, Tocsin, line_with, started

from tocsin.cli.bulk_files import Row, as_csv, as_toml, rows_of
from tocsin.cli.sheet import csv_of
from tocsin.config.document import Unreadable

CONFIGURATION = """\
[api]
listen = "127.0.0.1:0"
[[areas]]
name = "North"
[[devices]]
id = "cam-1"
name = "Gate"
area = "North"
description = "Gate cam, SIA:#0042|00-001, arc:#12"
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:1"]
supervision = "off"
[[destinations]]
name = "south"
type = "dc09"
hosts = ["127.0.0.1:1"]
supervision = "off"
account = "1234"
filter = { exclude_areas = ["North"] }
"""
FILE = """\
Kind;id;Name;area;description;address:arc
area;;Yard;North;;
device;cam-2;Yard cam;Yard;"two
lines SIA:#12";#0043|00-002

device;cam-3;Spare;Nowhere;;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    (made / "tocsin.toml").write_text(CONFIGURATION)
    return made


@pytest.fixture
def ask(folder: Path, tocsin: Tocsin) -> Iterator[Tocsin]:
    with started(folder, "run") as process:
        address = line_with(process.stderr, r"console at (http://\S+\d)").group(1)

        def asked(*arguments: str, given: str = "") -> Ended:
            return tocsin(*arguments, "--url", address, given=given)

        yield asked


def test_from_a_diff_to_the_stations_sheet(ask: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text("\ufeff" + FILE, encoding="utf-8")
    dry = ask("import", "devices.csv", "--dry-run")
    assert dry.code == 0, dry.err
    assert dry.out.splitlines()[:3] == ["+ area Yard", "+ device cam-2", "+ device cam-3"]
    assert "warning: cam-3: there is no area 'Nowhere'" in dry.out
    assert dry.out.endswith("0 rows cannot be used\nnothing was changed: a dry run\n")

    assert ask("import", "devices.csv").out.endswith("\nwritten\n")
    again = ask("import", "devices.csv").out
    assert "devices: 0 new, 0 changed, 2 as they are" in again
    assert again.endswith("nothing was changed\n")

    (tmp_path / "more.csv").write_text("id,name,area,address:arc\ncam-3,Spare,Yard,#0044\nbad id,x,,\ncam-4,,,,5\n")
    stopped = ask("import", "more.csv")
    assert stopped.code == 1
    assert "~ device cam-3: area: Nowhere → Yard; addresses: (none) → arc #0044" in stopped.out
    assert "more.csv:3: device bad id: id: expected 1 to 200 letters" in stopped.out
    assert "more.csv:4: device: 5 cells where the first line names 4 columns" in stopped.out
    assert stopped.out.endswith("nothing was changed: correct these rows, or leave them out with --skip-bad\n")
    skipped = ask("import", "more.csv", "--skip-bad")
    assert (skipped.code, skipped.out.endswith("2 rows cannot be used\nwritten\n")) == (1, True)

    for name in ("all.csv", "all.toml"):
        assert ask("export", "--out", name).out == f"{name}: 2 areas, 3 devices\n"
        unchanged = ask("import", name)
        assert "areas: 0 new, 0 changed, 2 as they are; devices: 0 new, 0 changed, 3 as they are" in unchanged.out
    assert ask("export").out == (tmp_path / "all.csv").read_text()

    sheet = ask("devices", "--addresses", "--csv", "--dest", "arc").out.splitlines()
    assert sheet[0] == "device_id,name,area,customer_id,destination,told,address,from,warning"
    assert sheet[2].startswith("cam-2,Yard cam,Yard,,arc,yes,#0043|00-002,the device's address list,\"description of")
    assert sheet[3] == "cam-3,Spare,Yard,,arc,yes,#0044,the device's address list,"
    shown = ask("devices").out
    assert "warning: cam-2: arc, south: description of cam-2: 'SIA:#12' is not used" in shown

    (tmp_path / "json.csv").write_text("id\ncam-9\n")
    found = json.loads(ask("import", "json.csv", "--dry-run", "--json").out)
    assert (found["devices"]["added"], found["applied"]) == (["cam-9"], False)


def test_the_sheet_without_a_gateway(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(CONFIGURATION)
    table = tocsin("devices", "--addresses", "--offline")
    assert table.code == 0, table.err
    rows = [line.split() for line in table.out.splitlines()]
    assert rows[1][:6] == ["cam-1", "Gate", "North", "arc", "yes", "#0042|00-001"]
    assert rows[2][3:6] == ["south", "no", "filter.exclude_areas:"]
    assert table.out.count("warning: description of cam-1: 'arc:#12' is not used") == 1
    (one, other) = json.loads(tocsin("devices", "--addresses", "--offline", "--json").out)
    assert (one["address"], one["from"], other["told"]) == ("#0042|00-001", "the device's description", "no")
    assert tocsin("devices", "--offline", "--area", "South").out.startswith("no devices")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "id,nmae\n", "x.csv:1: there is no column 'nmae'"),
        ("x.csv", "id,id\n", "x.csv:1: the column id is there twice"),
        ("x.csv", 'id\n"cam', "x.csv:2: cannot be read as CSV"),
        ("x.csv", b"id\n\xff\n", "x.csv:2: is not UTF-8 text"),
        ("x.toml", "[[devices]]\nid = 01\n", "x.toml:2: not readable as TOML"),
        ("x.toml", "[gateway]\nname = 'x'\n", "x.toml:1: gateway: is not taken over"),
        ("x.toml", "devices = 7\n", "x.toml:1: devices: a list of tables is expected here"),
        ("x.xls", "", "x.xls:1: is neither .csv nor .toml"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_use(
    tocsin: Tocsin, tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = tocsin("import", name)
    assert ended.code == 2
    assert said in ended.err
    assert "nothing was changed" in ended.err


def test_rows_know_their_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(FILE)
    rows = rows_of(file)
    assert [(row.what, row.line) for row in rows] == [("area", 2), ("device", 3), ("device", 6)]
    assert rows[0].fields == {"name": "Yard", "parent": "North", "addresses": {"arc": ""}}
    assert rows[1].fields["description"] == "two\nlines SIA:#12"
    file.write_text("kind,id,name\nhouse,x,y\narea,x,y\n")
    assert [row.problem.partition(":")[0] for row in rows_of(file)] == ["kind", "id"]
    file.write_text("id,battery_low,battery_critical\na,25,10\nb,,\nc,low,\n")
    assert [row.fields.get("thresholds") for row in rows_of(file)] == [
        *({"battery_low": 25, "battery_critical": 10}, None, None),
    ]
    assert [row.problem for row in rows_of(file)] == ["", "", "battery_low: 'low' is no whole number of percent"]
    toml = tmp_path / "x.toml"
    toml.write_text('areas = [7]\n[[devices]]\nid = "a"\n\n[[devices]]\nid = "b"\n')
    assert [(row.what, row.line, bool(row.problem)) for row in rows_of(toml)] == [
        ("area", 1, True),
        ("device", 2, False),
        ("device", 5, False),
    ]


def test_no_cell_of_the_sheet_is_taken_for_a_formula() -> None:
    row = dict.fromkeys(("device_id", "name", "area", "customer_id", "destination", "told"), "x")
    text = csv_of([{**row, "name": "=1+1", "address": "#1", "from": "-", "warning": "@"}])
    assert text.splitlines()[1] == "x,'=1+1,x,x,x,x,#1,'-,'@"


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12).map(str.strip)
NUMBERS = st.dictionaries(st.sampled_from(["arc", "mail"]), st.sampled_from(["#0042|00-001", "a@example.net"]))
LEVELS = st.none() | st.fixed_dictionaries({"battery_low": st.integers(2, 99), "battery_critical": st.integers(0, 1)})
DEVICE = st.fixed_dictionaries(
    {"id": st.text("abc-019", min_size=1, max_size=6), "routine": st.just("24h"), "addresses": NUMBERS}
    | {"thresholds": LEVELS}
    | dict.fromkeys(("name", "type", "area", "description", "customer_id", "time_zone"), TEXT)
)
AREA = st.fixed_dictionaries(
    {"name": TEXT.filter(bool), "addresses": NUMBERS} | dict.fromkeys(("parent", "customer_id", "time_zone"), TEXT)
)


def _filled(rows: list[Row]) -> list[tuple[str, dict[str, Any]]]:
    kept = [(row.what, {**row.fields, "addresses": row.fields.get("addresses", {})}) for row in rows]
    return [
        (what, {name: value for name, value in fields.items() if value and name != "addresses"} | {"addresses": {
            name: one for name, one in fields["addresses"].items() if one
        }})
        for what, fields in kept
    ]  # fmt: skip


@given(st.lists(AREA, max_size=3), st.lists(DEVICE, min_size=1, max_size=3))
@hypothesis_settings(max_examples=150, deadline=None)
def test_what_is_exported_is_imported_the_same(
    tmp_path_factory: pytest.TempPathFactory, areas: list[dict[str, Any]], devices: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    wanted = [("area", one) for one in areas] + [("device", one) for one in devices]
    meant = [
        (what, {name: value for name, value in one.items() if value or name == "addresses"}) for what, one in wanted
    ]
    for name, text in (("x.csv", as_csv(areas, devices)), ("x.toml", as_toml(areas, devices))):
        (folder / name).write_text(text, encoding="utf-8", newline="")
        assert _filled(rows_of(folder / name)) == meant


@given(st.binary(max_size=80), st.sampled_from([".csv", ".toml"]))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_file_gives_rows_or_one_problem(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    file = tmp_path_factory.getbasetemp() / f"any{suffix}"
    file.write_bytes(b"id,name\n" * (suffix == ".csv") + data)
    try:
        rows = rows_of(file)
    except Unreadable as unreadable:
        assert unreadable.problem.line >= 1
    else:
        assert all(row.line >= 1 for row in rows)
