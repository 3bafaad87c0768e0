"""`render` and `explain`: the exact bytes, and the reason for every yes and no, without a running gateway."""

import base64
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Tocsin

CONFIGURATION = """\
[[areas]]
name = "North depot"
[[devices]]
id = "cam-1"
name = "Gate"
area = "North depot"
description = "Gate cam, SIA:#0042|00-001"
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["192.0.2.5:4001"]
filter = { kinds = ["motion"], actors = ["person"] }
[[destinations]]
name = "second"
type = "dc09"
hosts = ["192.0.2.6:4001"]
account = "9999"
filter = { areas = ["South depot"] }
[[destinations]]
name = "hook"
type = "webhook"
url = "https://hooks.example.net/alarms"
"""
MOTION = {
    "id": "e-1",
    "kind": "motion",
    "device_id": "cam-1",
    "occurred_at": "2024-05-30T22:15:04+03:00",
    "actors": [{"class": "person", "confidence": 0.93}],
}


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(CONFIGURATION)
    (tmp_path / "motion.json").write_text(json.dumps(MOTION))


def test_render_shows_the_exact_bytes(tocsin: Tocsin) -> None:
    ended = tocsin("render", "arc", "--event", "motion.json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("--- frame, ")
    assert '"SIA-DCS"0001L0#0042[#0042|NBA001]' in ended.out
    assert "[H19:15:04,05-30-2024]" in ended.out
    assert "<LF>" in ended.out
    assert ended.out.endswith("<CR>\n")


def test_render_gives_programs_the_bytes_themselves(tocsin: Tocsin, tmp_path: Path) -> None:
    ended = tocsin("render", "hook", "--event", "motion.json", "--json")
    assert ended.code == 0
    parts = {part["name"]: base64.b64decode(part["base64"]) for part in json.loads(ended.out)}
    assert json.loads(parts["body.json"])["device_info"]["guid"] == "cam-1"
    written = tocsin("render", "hook", "--event", "motion.json", "--out", "files")
    assert written.code == 0
    assert json.loads((tmp_path / "files" / "body.json").read_bytes())["device_info"]["guid"] == "cam-1"


def test_render_for_an_unknown_destination_names_the_nearest(tocsin: Tocsin) -> None:
    ended = tocsin("render", "acr", "--event", "motion.json")
    assert ended.code == 2
    assert ended.err == 'tocsin: there is no destination "acr"; did you mean "arc"?\n'


def test_render_without_an_address_says_what_to_do(tocsin: Tocsin) -> None:
    ended = tocsin("render", "arc", "--event", "-", given=json.dumps(MOTION | {"device_id": "cam-9"}))
    assert ended.code == 1
    assert ended.err.startswith("tocsin: arc would set this event aside: ")
    assert "cam-9" in ended.err


def test_explain_gives_the_rule_of_every_no_and_the_origin_of_every_address(tocsin: Tocsin) -> None:
    ended = tocsin("explain", "--event", "motion.json")
    assert ended.code == 0
    rows = {line.split()[0]: line for line in ended.out.splitlines()[1:]}
    assert rows["arc"].split(maxsplit=3)[1:] == ["yes", "#0042|00-001", "the device's description"]
    assert rows["second"].endswith("filter.areas: North depot is not in South depot")
    assert rows["hook"].split()[1] == "yes"


def test_explain_says_how_often_routine_checks_go(tocsin: Tocsin) -> None:
    ended = tocsin("explain", "--event", "-", given=json.dumps({"kind": "routine_check", "device_id": "cam-1"}))
    assert "at most one per device and its period: filter.routine_checks" in ended.out


def test_explain_for_a_device_nobody_knows(tocsin: Tocsin) -> None:
    ended = tocsin("explain", "--event", "-", given=json.dumps(MOTION | {"device_id": "cam-9"}))
    assert ended.code == 1
    assert ended.out.startswith("warning: cam-9 is not among [[devices]]")
    assert "arc          set aside" in ended.out


def test_explain_as_json(tocsin: Tocsin) -> None:
    ended = tocsin("--json", "explain", "--event", "motion.json")
    verdicts = {one["destination"]: one for one in json.loads(ended.out)["destinations"]}
    assert verdicts["arc"]["addressed"]["address"] == "#0042|00-001"
    assert verdicts["second"]["yes"] is False


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ('{"kind": "motoin", "device_id": "cam-1"}', "motoin"),
        ('{"kind": "motion"}', "device_id"),
        ('{"kind": "motion", "device_id": "cam-1", "devise": 1}', "devise"),
        ("{", "not JSON"),
    ],
)
def test_what_is_no_event_is_named(event: str, said: str, tocsin: Tocsin) -> None:
    ended = tocsin("explain", "--event", "-", given=event)
    assert ended.code == 2
    assert ended.err.startswith("tocsin: standard input is no event: ")
    assert said in ended.err


def test_a_broken_configuration_stops_both_with_its_problems(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(CONFIGURATION.replace("account =", "acount ="))
    for command in (("explain",), ("render", "arc")):
        ended = tocsin(*command, "--event", "motion.json")
        assert ended.code == 2
        assert 'tocsin.toml:17: destinations[2] "second" . acount: unknown setting' in ended.err
