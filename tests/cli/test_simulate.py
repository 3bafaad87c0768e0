"""The stand-ins by name: one JSON line per message, and a panel that reports how it was answered."""

import json
from pathlib import Path

from tests.cli.conftest import Tocsin, line_with, started

KEY = "000102030405060708090a0b0c0d0e0f"


def test_a_panel_reports_to_a_station(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0", "--key", KEY) as station:
        port = line_with(station.stderr, r"listening on 127\.0\.0\.1:(\d+)").group(1)
        to = ("--to", f"127.0.0.1:{port}", "--account", "0042", "--rate", "0")
        good = tocsin("simulate", "panel", *to, "--count", "2", "--key", KEY)
        plain = tocsin("simulate", "panel", *to)
        received = [json.loads(line_with(station.stdout, "{").string) for _ in range(3)]
    assert [json.loads(line)["answer"] for line in good.out.splitlines()] == ["ACK", "ACK"]
    assert good.code == 0
    assert json.loads(plain.out)["answer"] == "DUH"
    assert plain.code == 1
    assert [(one["account"], one["encrypted"], one["answer"]) for one in received] == [
        ("0042", True, "ACK"),
        ("0042", True, "ACK"),
        ("0042", False, "DUH"),
    ]
    assert received[0]["data"].startswith("#0042|Nri1/BA")


def test_a_stand_in_ends_well_by_sigterm(tmp_path: Path) -> None:
    for name in ("webhook", "smtp"):
        with started(tmp_path, "simulate", name, "--listen", "127.0.0.1:0") as station:
            line_with(station.stderr, r"listening on 127\.0\.0\.1:\d+")
        assert station.returncode == 0


def test_what_cannot_be_used_is_said_plainly(tocsin: Tocsin) -> None:
    for arguments, code, said in (
        (("dc09", "--listen", "nowhere"), 2, 'expected "host:port"'),
        (("dc09", "--key", "00"), 2, "32, 48 or 64 hexadecimal digits"),
        (("dc09", "--cert", "none.pem"), 2, "none.pem"),
        (("panel", "--to", "7001"), 2, 'expected "host:port"'),
        (("webhook", "--listen", "192.0.2.1:4080"), 1, "cannot listen on 192.0.2.1:4080"),
    ):
        ended = tocsin("simulate", *arguments)
        assert (ended.code, ended.out) == (code, ""), arguments
        assert said in ended.err, arguments
