"""`tocsin health`: what the container's health check and a technician go by."""

import json
import socket
from pathlib import Path

from tests.cli.conftest import Tocsin, line_with, started

TOKEN = "0123456789abcdef-read"
CONFIGURATION = f"""\
[gateway]
name = "north"
[api]
listen = "127.0.0.1:0"
tokens = [{{ name = "eyes", token = "{TOKEN}", scopes = ["read"] }}]
[[sources]]
name = "panels"
type = "dc09"
listen = "127.0.0.1:0"
"""


def test_a_line_per_part_and_ready(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(CONFIGURATION)
    with started(tmp_path, "run") as process:
        url = line_with(process.stderr, r"console at (http://\S+\d)").group(1)
        ended = tocsin("health", "--url", url, "--token", TOKEN)
        told = json.loads(tocsin("health", "--url", url, "--json").out)
    assert (ended.code, ended.err) == (0, "")
    first, *parts = ended.out.splitlines()
    assert first.startswith("north 0.")
    assert first.endswith(": ready, ok")
    assert "ok      store        store" in parts
    assert "ok      source       panels" in parts
    assert (told["ready"], told["status"], told["gateway"]) == (True, "ok", "north")


def test_it_listens_where_the_configuration_says_and_says_so_to_check(tocsin: Tocsin, tmp_path: Path) -> None:
    ports = free_ports(2)
    text = CONFIGURATION.replace(":0", f":{ports[0]}", 1).replace(":0", f":{ports[1]}", 1)
    (tmp_path / "tocsin.toml").write_text(text)
    with started(tmp_path, "run") as process:
        line_with(process.stderr, r"console at (http://\S+\d)")
        assert tocsin("health").code == 0
        busy = tocsin("check", "--connect")
        (tmp_path / "tocsin.toml").write_text(text.replace('"north"', '"south"'))
        foreign = tocsin("check", "--connect")
    assert busy.code == 0
    assert busy.out.partition("warnings\n")[2] == (
        f"store:\n    ok      data folder {tmp_path / 'data'}: this user may write there\n"
        f"listen api:\n    ok      listen on 127.0.0.1:{ports[0]}, TCP: in use by the running gateway\n"
        f"listen panels:\n    ok      listen on 127.0.0.1:{ports[1]}, TCP: in use by the running gateway\n"
        f"    ok      listen on 127.0.0.1:{ports[1]}, UDP: in use by the running gateway\n"
    )
    assert foreign.code == 1
    assert f"FAILED  listen on 127.0.0.1:{ports[0]}, TCP: Address already in use\n" in foreign.out
    assert "hint: another program has it" in foreign.out


def test_no_gateway_is_not_healthy(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(CONFIGURATION.replace(":0", f":{free_ports(1)[0]}", 1))
    ended = tocsin("health")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("tocsin: no gateway answers at http://127.0.0.1:")


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
