"""The whole program as a site engineer meets it: a running gateway, stand-in stations, every command that asks it."""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from PIL import Image
from tests.cli.conftest import Ended, Tocsin, line_with, started

TOKEN = "0123456789abcdef-admin"
CONFIGURATION = """\
[api]
listen = "127.0.0.1:0"
tokens = [{{ name = "site", token = "{token}", scopes = ["events:write", "read", "operate"] }}]
[[areas]]
name = "North depot"
[[devices]]
id = "cam-1"
area = "North depot"
description = "SIA:#0042|00-001"
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:{dc09}"]
account = "1234"
[[destinations]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{webhook}/alarms"
[[destinations]]
name = "strict"
type = "dc09"
hosts = ["127.0.0.1:{dc09}"]
filter = {{ kinds = ["tamper"] }}
"""


class Site(Struct, frozen=True):
    """A running gateway with its stations; `station` prints what it received."""

    address: str
    folder: Path
    station: "subprocess.Popen[str]"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with (
        started(folder, "simulate", "dc09", "--listen", "127.0.0.1:0") as dc09,
        started(folder, "simulate", "webhook", "--listen", "127.0.0.1:0") as webhook,
    ):
        ports = [line_with(one.stderr, r"listening on \S+:(\d+)").group(1) for one in (dc09, webhook)]
        text = CONFIGURATION.format(token=TOKEN, dc09=ports[0], webhook=ports[1])
        (folder / "tocsin.toml").write_text(text)
        with started(folder, "run") as process:
            address = line_with(process.stderr, r"console at (http://\S+\d)").group(1)
            yield Site(address, folder, dc09)


@pytest.fixture
def ask(site: Site, tocsin: Tocsin) -> Tocsin:
    def asked(*arguments: str) -> Ended:
        config = str(site.folder / "tocsin.toml")
        return tocsin(*arguments, "--url", site.address, "--token", TOKEN, "--config", config)

    return asked


def test_the_day_of_a_site_engineer(site: Site, ask: Tocsin, tmp_path: Path) -> None:
    Image.effect_noise((320, 240), 40).convert("RGB").save(tmp_path / "gate.jpg")
    sent = ask("send", "--kind", "motion", "--device", "cam-1", "--actor", "person:0.93", "--photo", "gate.jpg")
    assert (sent.code, sent.err) == (0, "")
    assert "is on disk, owed to arc, hook" in sent.out
    assert "arc: delivered to #0042|00-001 127.0.0.1:" in sent.out
    assert '"SIA-DCS"' in sent.out
    assert '"ACK"' in sent.out
    assert "hook: delivered" in sent.out
    assert max(len(line) for line in sent.out.splitlines()) < 1000

    shown = json.loads(line_with(site.station.stdout, "NBA001").string)
    assert (shown["account"], shown["answer"], shown["faults"]) == ("0042", "ACK", [])

    event_id = sent.out.split()[0]
    listed = json.loads(ask("events", "--kind", "motion", "--json").out)
    assert [event["id"] for event in listed] == [event_id]
    assert ask("events", event_id).out.count("delivered") >= 3
    assert "motion" in ask("events", "--since", "1h", "--device", "cam-1").out
    assert ask("events", "--source", "nobody").out == "no events\n"

    tested = ask("test", "arc")
    assert tested.code == 0
    assert "arc: delivered to #1234" in tested.out
    assert "cam-1" in ask("devices").out
    assert "arc" in ask("destinations").out

    sensed = ask("simulate", "detector", "--device", "cam-1", "--every", "0s", "--count", "2")
    assert [json.loads(line)["status"] for line in sensed.out.splitlines()] == [202, 202]


def test_what_is_set_aside_can_be_retried_and_discarded(ask: Tocsin) -> None:
    sent = ask("send", "--kind", "tamper", "--device", "cam-9")
    assert sent.code == 1
    assert "strict: rejected" in sent.out
    (aside,) = json.loads(ask("deliveries", "--state", "rejected", "--json").out)
    assert aside["destination"] == "strict"
    assert aside["id"] in ask("deliveries", "--dest", "strict").out
    refused = ask("retry", aside["id"], "999999.arc")
    assert refused.code == 1
    assert "999999.arc: the gateway refuses (404)" in refused.err
    discarded = ask("discard", aside["id"])
    assert (discarded.code, discarded.out) == (0, f"{aside['id']} is discarded\n")


def test_the_gateways_own_words_reach_the_terminal(site: Site, ask: Tocsin, tocsin: Tocsin) -> None:
    wrong = ask("send", "--kind", "motoin", "--device", "cam-1")
    assert wrong.code == 1
    assert "motoin" in wrong.err
    unknown = ask("test", "acr")
    assert unknown.code == 1
    assert unknown.err.startswith("tocsin: the gateway refuses (404)")
    stranger = tocsin("events", "--url", site.address, "--token", "not-a-known-token")
    assert stranger.code == 1
    assert stranger.err.startswith("tocsin: the gateway refuses (401)")


def test_diagnostics_hold_states_and_no_secret(ask: Tocsin, tmp_path: Path) -> None:
    assert ask("diagnostics", "--out", "d.zip").code == 0
    with zipfile.ZipFile(tmp_path / "d.zip") as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert json.loads(parts["configuration.json"])["api"]["tokens"][0]["token"] == "***"
    assert '"arc"' in parts["destinations.json"]
    assert TOKEN not in "".join(parts.values())


def test_a_gateway_that_does_not_run_is_one_plain_sentence(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[api]\nlisten = "127.0.0.1:1"\n')
    for command in (["events"], ["destinations"], ["test", "arc"], ["retry", "1.arc"]):
        ended = tocsin(*command)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith("tocsin: no gateway answers at http://127.0.0.1:1: is it running?")


def test_run_refuses_a_broken_configuration_with_its_problems(program: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text("[api]\nlisten = 8080\n")
    ended = program("run")
    assert ended.code == 2
    assert "tocsin.toml:2: api.listen: text is expected here" in ended.err
