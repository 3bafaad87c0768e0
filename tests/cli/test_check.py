"""`tocsin check`: what a technician reads for the mistakes technicians make."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
import trustme
from tests.cli.conftest import Tocsin, line_with, started

STATION = '[[destinations]]\nname = "arc"\ntype = "dc09"\nhosts = ["127.0.0.1:4001"]\naccount = "9280"\n'
ANY_PORT = '[api]\nlisten = "127.0.0.1:0"\n'
"""So that a check does not find somebody else at the usual one."""

WRONG = {
    "misspelt setting": (
        STATION + 'acounts = { "1" = "2" }\n',
        'tocsin.toml:6: destinations[1] "arc" . acounts: unknown setting\n    hint:  did you mean "accounts"?',
    ),
    "account as a number": (
        STATION.replace('"9280"', "9280"),
        'tocsin.toml:5: destinations[1] "arc" . account: text is expected here\n    value: 9280\n'
        '    hint:  write it in quotes, leading zeros included: account = "9280"',
    ),
    "missing secret": (
        STATION + 'key = { hex = { env = "ARC_KEY" } }\n',
        'tocsin.toml:6: destinations[1] "arc" . key: the environment variable ARC_KEY is not set; set it before '
        "starting, or use { file = … }",
    ),
}
SURGARD = STATION.replace('"dc09"', '"surgard"')
WRONG |= {
    "line wider than the header": (
        SURGARD + 'line = "12"\n',
        'tocsin.toml:6: destinations[1] "arc" . line: does not fit: the header has room for 1 character\n'
        '    value: "12"\n    hint:  line_digits = 3, where the station reads the newer header RRLLL',
    ),
    "account longer than the record": (
        SURGARD.replace('"9280"', '"12345"'),
        'tocsin.toml:5: destinations[1] "arc" . account: does not fit a Contact ID record: 4 characters of 0 to 9 and '
        'B to F\n    value: "12345"\n    hint:  account_width = 5, if the station reads that many',
    ),
    "rename to what no record can hold": (
        SURGARD.replace('"surgard"', '"microkey"') + 'accounts = { "77" = "A123" }\n',
        'tocsin.toml:6: destinations[1] "arc" . accounts.77: does not fit a Contact ID record: 4 characters of 0 to 9 '
        'and B to F\n    value: "A123"\n    hint:  ask the station for an account without other letters',
    ),
}
WRONG |= {
    "address of a browser as host": (
        STATION.replace("127.0.0.1:4001", "tcp://192.0.2.5:4001"),
        '. hosts[1]: expected "host:port", such as "127.0.0.1:8080" or "[::1]:8080", without tcp://\n',
    ),
    "port that cannot be": (
        STATION.replace("4001", "80800"),
        '. hosts[1]: expected "host:port", such as "127.0.0.1:8080" or "[::1]:8080"; a port is at most 65535\n',
    ),
    "comma left out": (
        STATION.replace('"127.0.0.1:4001"', '"192.0.2.5:4001" "192.0.2.6:4001"'),
        "    hint:  a comma goes between the items of a list\n",
    ),
    "quotes of a word processor": (
        STATION.replace('"arc"', "“arc”"),
        "    hint:  quotes are straight",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_configuration_is_named_and_ends_with_2(mistake: str, program: Tocsin, tmp_path: Path) -> None:
    text, printed = WRONG[mistake]
    (tmp_path / "tocsin.toml").write_text(text)
    ended = program("check")
    assert ended.code == 2
    assert ended.err == ""
    assert printed in ended.out
    assert ended.out.endswith("tocsin.toml: not usable, 1 error, 0 warnings\n")


def test_every_part_has_its_line_and_no_secret_is_printed(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "gw.toml").write_text(
        '[gateway]\nname = "north"\n[api]\n'
        'tokens = [{ name = "detectors", token = "0123456789abcdef", scopes = ["read"] }]\n'
        '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "127.0.0.1:7001"\n'
        'accounts = [{ account = "0042", key = { hex = { env = "PANEL_KEY" } } }]\n' + STATION
    )
    ended = tocsin("check", "-c", "gw.toml", PANEL_KEY="00" * 16)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"gateway      north, SQLite in {tmp_path}/data, time zone UTC",
        "api          127.0.0.1:8080, plain HTTP, 1 token",
        "console      0 users",
        "areas        0",
        "devices      0",
        "source       panels: dc09, listens on 127.0.0.1:7001",
        "destination  arc: dc09, 127.0.0.1:4001",
        'secret       api.tokens "detectors" .token: from the configuration file',
        'secret       sources "panels" .accounts "0042" .key: AES-128',
        "gw.toml: fine, 0 errors, 0 warnings",
    ]
    assert "0123456789abcdef" not in ended.out


def test_a_device_that_no_station_can_be_told_of_is_a_warning(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(
        STATION.replace('account = "9280"\n', "")
        + '[[devices]]\nid = "cam-1"\ndescription = "SIA:#12"\n[[devices]]\nid = "cam-2"\ndescription = "SIA:#9280"\n'
    )
    ended = tocsin("check")
    assert ended.code == 0
    assert 'tocsin.toml:5: warning: devices[1] "cam-1": no address at arc: ' in ended.out
    assert 'tocsin.toml:7: warning: devices[1] "cam-1" . description: ' in ended.out
    assert "cam-2" not in ended.out


def test_a_devices_line_that_the_header_has_no_room_for_is_a_warning(tocsin: Tocsin, tmp_path: Path) -> None:
    devices = (
        '[[devices]]\nid = "a"\naddresses = { arc = { account = "1234", prefix = "12" } }\n'
        '[[devices]]\nid = "b"\naddresses = { arc = { account = "1234", prefix = "02", receiver = "001" } }\n'
    )
    (tmp_path / "tocsin.toml").write_text(SURGARD + devices)
    ended = tocsin("check")
    assert ended.code == 0
    assert (
        'tocsin.toml:6: warning: devices[1] "a": no address at arc: line 12 of L12#1234 does not fit: arc writes 1 of '
        "its digits" in ended.out
    )
    assert '"b"' not in ended.out
    (tmp_path / "b.json").write_text('{"kind": "tamper", "device_id": "b"}')
    assert "5012 181234" in tocsin("render", "arc", "--event", "b.json").out
    (tmp_path / "tocsin.toml").write_text(SURGARD + "line_digits = 3\n" + devices)
    assert tocsin("check").out.endswith("fine, 0 errors, 0 warnings\n")


def test_json_for_programs(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(STATION + "retry = { first = 1 }\n")
    ended = tocsin("check", "--json")
    assert ended.code == 2
    answer = json.loads(ended.out)
    assert answer["fine"] is False
    (problem,) = answer["problems"]
    assert (problem["line"], problem["path"]) == (6, 'destinations[1] "arc" . retry.first')


def port_of(process: "subprocess.Popen[str]") -> str:
    """From the line a stand-in prints when it listens."""
    return line_with(process.stderr, r"listening on 127\.0\.0\.1:(\d+)").group(1)


def test_connect_to_a_station_that_answers(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0") as station:
        (tmp_path / "tocsin.toml").write_text(ANY_PORT + STATION.replace("4001", port_of(station)))
        ended = tocsin("check", "--connect")
    assert ended.code == 0, ended.out
    steps = ended.out.partition("\narc:\n")[2].splitlines()
    assert len(steps) >= 2
    assert all(step.startswith("    ok ") for step in steps)


def test_connect_to_a_closed_port(tocsin: Tocsin, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        (tmp_path / "tocsin.toml").write_text(STATION.replace("4001", str(port)))
        ended = tocsin("check", "--connect")
    assert ended.code == 1
    assert f"    FAILED  connect to 127.0.0.1:{port}: " in ended.out
    assert "nothing listens on port" in ended.out


def test_connect_to_a_host_that_does_not_exist(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(STATION.replace("127.0.0.1", "arc.invalid"))
    ended = tocsin("check", "--connect")
    assert ended.code == 1
    assert "arc.invalid cannot be found" in ended.out


def test_connect_to_a_foreign_certificate(tocsin: Tocsin, tmp_path: Path) -> None:
    theirs, ours = trustme.CA(), trustme.CA()
    issued = theirs.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "station.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "station.key"))
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    theirs.cert_pem.write_to_path(str(tmp_path / "right-ca.pem"))
    station_tls = ("--cert", "station.pem", "--cert-key", "station.key")
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0", *station_tls) as station:
        text = ANY_PORT + STATION.replace("4001", port_of(station)) + 'tls = { ca_file = "ca.pem" }\n'
        (tmp_path / "tocsin.toml").write_text(text)
        foreign = tocsin("check", "--connect")
        (tmp_path / "tocsin.toml").write_text(text.replace('"ca.pem"', '"right-ca.pem"'))
        right = tocsin("check", "--connect")
    assert foreign.code == 1
    assert "FAILED" in foreign.out
    assert "ca_file" in foreign.out
    assert right.code == 0, right.out


def test_addresses_to_listen_on_are_tried_too(tocsin: Tocsin, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "tocsin.toml").write_text(
            '[api]\nlisten = "127.0.0.1:0"\n'
            f'[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "127.0.0.1:{port}"\n'
            '[[sources]]\nname = "far"\ntype = "dc09"\nlisten = "192.0.2.1:7001"\n'
        )
        ended = tocsin("check", "--connect")
    assert ended.code == 1
    assert "    ok      listen on 127.0.0.1:0, TCP: any free port" in ended.out
    assert (
        f"    FAILED  listen on 127.0.0.1:{port}, TCP: Address already in use\n            hint: another" in ended.out
    )
    assert f"    ok      listen on 127.0.0.1:{port}, UDP: the address is free" in ended.out
    assert "    FAILED  listen on 192.0.2.1:7001, TCP: Cannot assign requested address" in ended.out


def test_a_data_folder_that_cannot_be_used_is_said_before_the_gateway_is_started(
    tocsin: Tocsin, program: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "tocsin.toml").write_text('[gateway]\ndata_dir = "a-file"\n' + ANY_PORT)
    checked = tocsin("check", "--connect")
    assert checked.code == 1
    assert f"store:\n    FAILED  data folder {tmp_path}/a-file: {tmp_path}/a-file is no folder\n" in checked.out
    assert "            hint: give it to the user the gateway runs as, or set gateway.data_dir" in checked.out
    ended = program("run")
    assert ended.code == 1
    assert f"cannot start: the data folder {tmp_path}/a-file cannot be used: File exists; give it" in ended.err


def test_a_data_folder_that_is_not_there_yet_is_fine_and_is_not_made(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[gateway]\ndata_dir = "new/data"\n' + ANY_PORT)
    checked = tocsin("check", "--connect")
    assert checked.code == 0, checked.out
    assert f"    ok      data folder {tmp_path}/new/data: this user may write there\n" in checked.out
    assert not (tmp_path / "new").exists()


def test_each_host_of_a_destination_is_reported(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0") as station:
        hosts = f'"127.0.0.1:1", "127.0.0.1:{port_of(station)}"'
        (tmp_path / "tocsin.toml").write_text(STATION.replace('"127.0.0.1:4001"', hosts))
        ended = tocsin("check", "--connect")
    assert ended.code == 1
    assert "    FAILED  connect to 127.0.0.1:1" in ended.out
    assert f"    ok      connect to 127.0.0.1:{port_of_text(hosts)}" in ended.out


def port_of_text(hosts: str) -> str:
    return hosts.rpartition(":")[2].rstrip('"')


OPEN = {
    "insecure API": (
        '[api]\nlisten = "0.0.0.0:8080"\ninsecure = true\ntokens = [{ name = "a", token = "0123456789abcdef", '
        'scopes = ["read"] }]\n',
        "tocsin.toml:3: warning: api.insecure: plain HTTP on 0.0.0.0:8080",
    ),
    "unverified TLS": (
        STATION + "tls = { insecure = true }\n",
        'tocsin.toml:6: warning: destinations[1] "arc" . tls.insecure: the station\'s certificate is not checked',
    ),
    "plain TCP without a key": (
        STATION.replace("127.0.0.1", "192.0.2.5"),
        'tocsin.toml:1: warning: destinations[1] "arc": events can be read and changed on the way to 192.0.2.5:4001',
    ),
    "plain HTTP": (
        '[[destinations]]\nname = "hook"\ntype = "webhook"\nurl = "http://hooks.example.net/in"\n',
        "events can be read and changed on the way to http://hooks.example.net/in",
    ),
    "mail in clear": (
        '[[destinations]]\nname = "m"\ntype = "email"\nhosts = ["mail.example.net"]\nsender = "a@example.net"\n'
        'to = ["b@example.net"]\ntls = { mode = "opportunistic" }\n',
        "events can be read and changed on the way to mail.example.net",
    ),
    "no account": (
        STATION.replace('account = "9280"\n', ""),
        "no account: events that bring no address are set aside, and the station is not polled",
    ),
    "no recipient": (
        '[[destinations]]\nname = "m"\ntype = "email"\nhosts = ["mail.example.net"]\nsender = "a@example.net"\n',
        "no to: events whose device names no recipient are set aside",
    ),
    "panels without a key": (
        '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "0.0.0.0:7001"\naccounts = [{ account = "6F01" }]\n',
        'tocsin.toml:5: warning: sources[1] "panels" . accounts: plain, and without a key anyone on the network can '
        "report as 6F01",
    ),
}


@pytest.mark.parametrize("case", OPEN)
def test_what_is_left_open_is_a_warning(case: str, tocsin: Tocsin, tmp_path: Path) -> None:
    text, warning = OPEN[case]
    (tmp_path / "tocsin.toml").write_text(text)
    ended = tocsin("check")
    assert ended.code == 0, ended.out
    assert warning in ended.out
    assert ended.out.endswith("fine, 0 errors, 1 warning\n")


def test_links_that_are_protected_or_stay_here_are_no_warning(tocsin: Tocsin, tmp_path: Path) -> None:
    far = STATION.replace("127.0.0.1", "192.0.2.5")
    (tmp_path / "tocsin.toml").write_text(
        STATION
        + STATION.replace("arc", "local").replace("127.0.0.1:4001", "[::1]:4001")
        + far.replace("arc", "keyed")
        + f'key = {{ hex = "{"00" * 16}" }}\n'
        + far.replace("arc", "tls")
        + "tls = {}\n"
        + '[[sources]]\nname = "panels"\ntype = "dc09"\nlisten = "0.0.0.0:7001"\n'
        + f'accounts = [{{ account = "6F01", key = {{ hex = "{"00" * 16}" }} }}]\n'
    )
    assert tocsin("check").out.endswith("fine, 0 errors, 0 warnings\n")


def test_a_broken_destination_stops_check_also_where_run_would_leave_it_out(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(STATION + 'on_start_error = "disable"\nwrong = 1\n')
    ended = tocsin("check")
    assert ended.code == 2
    assert ended.out.endswith("tocsin.toml: usable in part, 1 error, 0 warnings\n")


def test_connect_tries_systems_too(tocsin: Tocsin, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    system = f'[[systems]]\nname = "xp"\ntype = "milestone"\nurl = "{url}"\nusername = "u"\npassword = "p"\n'
    file = tmp_path / "systems.toml"
    file.write_text(f'[gateway]\nname = "x"\ndata_dir = "data"\n[api]\nlisten = "127.0.0.1:0"\n{system}')
    ended = tocsin("-c", str(file), "check", "--connect")
    assert ended.code == 1
    assert "\nxp:\n" in ended.out
    assert "FAILED" in ended.out
