"""The stand-ins of Stages, Manitou and OSAP by name: they serve, misbehave as told, and end well."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Tocsin, line_with, started

SETTINGS = """
[gateway]
name = "north-depot"
data_dir = "data"
[api]
listen = "127.0.0.1:0"
[[destinations]]
name = "arc"
{}
"""
EVENT = json.dumps({"kind": "motion", "device_id": "cam", "occurred_at": "2026-03-04T05:06:07+00:00"})


def where(station: "subprocess.Popen[str]") -> str:
    return line_with(station.stderr, r"listening on (127\.0\.0\.1:\d+)").group(1)


def told(station: "subprocess.Popen[str]") -> Any:
    return json.loads(line_with(station.stdout, "{").string)


def post(url: str, body: bytes = b"{}") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_stages_service_fails_so_many_times(tmp_path: Path) -> None:
    switches = ("--fault", "Receiver", "--times", "1")
    with started(tmp_path, "simulate", "stages", "--listen", "127.0.0.1:0", *switches) as station:
        url = f"http://{where(station)}/"
        assert [post(url), post(url)] == [500, 400]
        assert "no XML" in str([told(station), told(station)])
    assert station.returncode == 0


def test_an_osap_server_asks_for_its_key(tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "osap", "--listen", "127.0.0.1:0", "--api-key", "sesame") as station:
        assert post(f"http://{where(station)}/v1/events") == 401
        assert told(station)["status"] == 401
    assert station.returncode == 0


@pytest.mark.parametrize(
    ("name", "settings", "login"),
    [
        (
            "stages",
            'type = "stages"\nurls = ["http://{}/r.asmx"]\nline = "1"\naccount = "4711"\nheartbeat = "poll"',
            (),
        ),
        ("manitou", 'type = "manitou"\nhosts = ["{}"]\naccount = "4711"', ()),
        ("manitou", 'type = "manitou"\nhosts = ["{}"]\naccount = "4711"\npacket = "observed"', ("--observed",)),
        ("osap", 'type = "osap"\nurls = ["http://{}"]\nsite = "4711"\napi_key = "sesame"', ("--api-key", "sesame")),
    ],
)
def test_the_program_checks_and_renders_for_its_stand_in(
    tocsin: Tocsin, tmp_path: Path, name: str, settings: str, login: tuple[str, ...]
) -> None:
    with started(tmp_path, "simulate", name, "--listen", "127.0.0.1:0", *login) as station:
        (tmp_path / "tocsin.toml").write_text(SETTINGS.format(settings.format(where(station))))
        (tmp_path / "event.json").write_text(EVENT)
        checked = tocsin("check", "--connect")
        rendered = tocsin("render", "arc", "--event", "event.json")
    assert (checked.code, "fail" in checked.out) == (0, False), checked
    assert rendered.code == 0
    assert re.search("4711", rendered.out)


CLOUD = """type = "cloud"
inventory_url = "http://{0}/inventory"
events_url = "http://{0}/health"
token = "sesame"
"""


def test_a_cloud_asks_for_its_token_and_is_patient_as_told(tocsin: Tocsin, tmp_path: Path) -> None:
    switches = ("--bearer", "sesame", "--status", "429", "--retry-after", "5", "--times", "1")
    with started(tmp_path, "simulate", "cloud", "--listen", "127.0.0.1:0", *switches) as station:
        place = where(station)
        (tmp_path / "tocsin.toml").write_text(SETTINGS.format(CLOUD.format(place)))
        (tmp_path / "event.json").write_text(EVENT)
        checked = tocsin("check", "--connect")
        explained = tocsin("explain", "--event", "event.json")
        posted = [post(f"http://{place}/health"), told(station)["status"]]
    assert (checked.code, "fail" in checked.out) == (0, False), checked
    assert "and of nothing else" in explained.out
    assert posted == [429, 429]


def test_what_cannot_be_used_is_said_plainly(tocsin: Tocsin) -> None:
    for arguments, said in (
        (("stages", "--fault", "Both"), "expected Sender or Receiver"),
        (("stages", "--status", "100"), "--status is 200 to 599"),
        (("manitou", "--framing", "x"), "expected one of crlf, stx-etx, null, length4, close"),
        (("osap", "--client-ca", "ca.pem"), "--client-ca needs --cert"),
        (("cloud", "--profile", "long"), "expected brief or extended"),
        (("cloud", "--retry-after", "5"), "--retry-after goes with --status"),
        (("osap", "--listen", "nowhere"), 'expected "host:port"'),
    ):
        ended = tocsin("simulate", *arguments)
        assert (ended.code, ended.out) == (2, ""), arguments
        assert said in ended.err, arguments
