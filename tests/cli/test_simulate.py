"""The stand-ins by name: one JSON line per message, and a panel that reports how it was answered."""

import ftplib
import io
import json
import signal
import smtplib
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import trustme
from tests.cli.conftest import Tocsin, line_with, started


def where(station: "subprocess.Popen[str]") -> str:
    """HOST:PORT, from the line a stand-in prints when it listens."""
    return line_with(station.stderr, r"listening on (127\.0\.0\.1:\d+)").group(1)


KEY = "000102030405060708090a0b0c0d0e0f"


def test_a_panel_reports_to_a_station(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0", "--key", KEY) as station:
        to = ("--to", where(station), "--account", "0042", "--rate", "0")
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
    for name in ("webhook", "smtp", "ftpes"):
        with started(tmp_path, "simulate", name, "--listen", "127.0.0.1:0") as station:
            line_with(station.stderr, r"listening on 127\.0\.0\.1:\d+")
        assert station.returncode == 0


def test_what_cannot_be_used_is_said_plainly(tocsin: Tocsin) -> None:
    for arguments, code, said in (
        (("dc09", "--listen", "nowhere"), 2, 'expected "host:port"'),
        (("dc09", "--key", "00"), 2, "32, 48 or 64 hexadecimal digits"),
        (("dc09", "--cert", "none.pem"), 2, "none.pem"),
        (("panel", "--to", "7001"), 2, 'expected "host:port"'),
        (("panel", "--key", KEY, "--key-text", "0123456789abcdef"), 2, "not both"),
        (("panel", "--key-text", "short"), 2, "16, 24 or 32 characters"),
        (("panel", "--duration", "30"), 2, "--duration 30: expected a duration"),
        (("smtp", "--implicit"), 2, "need --cert"),
        (("ftpes", "--require-tls"), 2, "needs --cert"),
        (("ftpes", "--folder", "nowhere"), 2, "the folder nowhere is not there"),
        (("surgard", "--line-digits", "2"), 2, "1 or 3"),
        (("surgard", "--connect", "nowhere"), 2, "host:port"),
        (("microkey", "--ack-byte", "6x"), 2, "hexadecimal"),
        (("smtp", "--cut", "helo"), 2, "helo is no step of a mail: mail, rcpt, data"),
        (("smtp", "--cut", "auth"), 2, "auth is no step of a mail: mail, rcpt, data"),
        (("smtp", "--fail", "auth=535 no"), 2, "a login can only fail where one is demanded"),
        (("smtp", "--as", "imix"), 2, "imix"),
        (("webhook", "--status", "100"), 2, "--status is 200 to 599"),
        (("webhook", "--listen", "192.0.2.1:4080"), 1, "cannot listen on 192.0.2.1:4080"),
    ):
        ended = tocsin("simulate", *arguments)
        assert (ended.code, ended.out) == (code, ""), arguments
        assert said in ended.err, arguments


def test_a_station_misbehaves_as_told(tocsin: Tocsin, tmp_path: Path) -> None:
    switches = ("--key", f"0042={KEY}", "--duh", "0043", "--nak-once", "--cut-once", "--close")
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0", *switches) as station:
        to = ("--to", where(station), "--rate", "0")
        keyed = tocsin("simulate", "panel", *to, "--account", "0042", "--key-text", "\x00" * 16)
        refused = tocsin("simulate", "panel", *to, "--account", "0043")
        received = [json.loads(line_with(station.stdout, "{").string)["answer"] for _ in range(3)]
        taken = tocsin("simulate", "panel", *to, "--account", "0044", "--new-connections", "--count", "2")
        received += [json.loads(line_with(station.stdout, "{").string)["answer"] for _ in range(3)]
    assert (keyed.code, refused.code, taken.code) == (1, 1, 0)
    assert json.loads(keyed.out)["answer"] == "DUH"
    assert received == ["DUH", "NAK", "DUH", "cut", "ACK", "ACK"]


def test_a_silent_station_leaves_a_panel_without_an_answer(tmp_path: Path) -> None:
    with (
        started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0", "--silent") as station,
        started(tmp_path, "simulate", "panel", "--to", where(station), "--udp") as panel,
    ):
        assert json.loads(line_with(station.stdout, "{").string)["answer"] == "none"
    assert (panel.returncode, station.returncode) == (0, 0)


def test_a_webhook_receiver_fails_so_many_times(tmp_path: Path) -> None:
    switches = ("--status", "503", "--retry-after", "7", "--times", "1", "--bearer", "sesame")
    with started(tmp_path, "simulate", "webhook", "--listen", "127.0.0.1:0", *switches) as station:
        url = "http://" + where(station)
        answers = [post(url), post(url)]
    assert answers == [(503, "7"), (401, "")]


def test_a_webhook_receiver_may_only_be_slow(tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "webhook", "--listen", "127.0.0.1:0", "--delay", "0.01") as station:
        url = "http://" + where(station)
        assert [post(url), post(url)] == [(400, ""), (400, "")]


def post(url: str) -> tuple[int, str]:
    """Status and Retry-After of a request that is not as agreed."""
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json; charset=utf-8"})
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(request, timeout=30)
    with failed.value as answer:
        return answer.code, answer.headers.get("Retry-After", "")


def test_a_mail_server_with_login_limit_and_faults(tmp_path: Path) -> None:
    switches = ("--user", "gw", "--password", "pw", "--clear-login", "--size-limit", "9999")
    faults = ("--fail", "rcpt=550 5.1.1 no such user", "--cut", "data")
    with started(tmp_path, "simulate", "smtp", "--listen", "127.0.0.1:0", *switches, *faults) as station:
        port = int(where(station).rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.ehlo()
            assert client.esmtp_features["size"] == "9999"
            client.login("gw", "pw")
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("a@example.net", "b@example.net", MAIL)
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.sendmail("a@example.net", "b@example.net", MAIL)
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            client.login("gw", "pw")
            assert client.sendmail("a@example.net", "b@example.net", MAIL) == {}
        taken = [json.loads(line_with(station.stdout, "{").string)["answer"] for _ in range(2)]
    assert taken[-1] == "250 2.0.0 queued"


def test_a_mail_server_with_starttls(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "mail.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "mail.key"))
    tls = ("--cert", "mail.pem", "--cert-key", "mail.key", "--require-tls")
    with started(tmp_path, "simulate", "smtp", "--listen", "127.0.0.1:0", *tls) as station:
        port = int(where(station).rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
            with pytest.raises(smtplib.SMTPException, match="STARTTLS"):
                client.sendmail("a@example.net", "b@example.net", MAIL)
            unverified = ssl.create_default_context()
            unverified.check_hostname = False
            unverified.verify_mode = ssl.CERT_NONE
            client.starttls(context=unverified)
            assert client.sendmail("a@example.net", "b@example.net", MAIL) == {}


MAIL = (
    "From: a@example.net\r\nTo: b@example.net\r\nSubject: alarm\r\nDate: Thu, 30 May 2024 22:15:04 +0300\r\n"
    "Message-ID: <1@example.net>\r\nMIME-Version: 1.0\r\n\r\nmotion\r\n"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_panel_without_end_ends_well_by_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0") as station:
        to = where(station)
        with started(tmp_path, "simulate", "panel", "--to", to, "--duration", "1h", "--rate", "2") as panel:
            line_with(panel.stdout, "ACK")
            panel.send_signal(number)
            assert panel.wait(30) == 0
    assert panel.stderr is not None
    assert station.returncode == 0


def test_a_panel_stops_after_its_duration(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "dc09", "--listen", "127.0.0.1:0") as station:
        to = where(station)
        ended = tocsin("simulate", "panel", "--to", to, "--duration", "50ms", "--rate", "1")
    assert (ended.code, len(ended.out.splitlines())) == (0, 1)


def test_a_detector_that_is_refused_says_so(tocsin: Tocsin, tmp_path: Path) -> None:
    with started(tmp_path, "simulate", "webhook", "--listen", "127.0.0.1:0", "--status", "403") as other:
        url = "http://" + where(other)
        options = ("--rate", "100", "--count", "2", "--photos", "0", "--new-connections")
        ended = tocsin("simulate", "detector", *options, "--url", url)
    assert ended.code == 1
    assert [json.loads(line)["status"] for line in ended.out.splitlines()] == [403, 403]


def test_an_ftp_server_tells_files_and_sets(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    options = ("--user", "gw", "--password", "secret-word", "--folder", "kept")
    with started(tmp_path, "simulate", "ftpes", "--listen", "127.0.0.1:0", *options) as station:
        host, _, port = where(station).rpartition(":")
        with ftplib.FTP() as ftp:
            ftp.connect(host, int(port), timeout=10)
            ftp.login("gw", "secret-word")
            ftp.storbinary("STOR a.txt.part", io.BytesIO(b"Alarm: Person\r\n"))
            ftp.rename("a.txt.part", "a.txt")
        told = json.loads(line_with(station.stdout, "{").string)
    assert (told["kind"], told["files"], told["text"]) == ("set", ["a.txt"], "Alarm: Person\r\n")
    assert (tmp_path / "kept" / "a.txt").read_bytes() == b"Alarm: Person\r\n"


def test_automation_software_takes_records(tmp_path: Path) -> None:
    for name, ack in (("surgard", b"\x06"), ("microkey", b"OK")):
        options = ("--ack-byte", "4F4B") if name == "microkey" else ("--nak-first", "1")
        with started(tmp_path, "simulate", name, "--listen", "127.0.0.1:0", *options) as station:
            host, _, port = where(station).partition(":")
            with socket.create_connection((host, int(port)), 10) as link:
                link.sendall(b"1011           @    \x14")
                assert link.recv(2) == ack
            received = json.loads(line_with(station.stdout, "{").string)
        assert (received["station"], received["kind"], received["faults"]) == (name, "heartbeat", [])
