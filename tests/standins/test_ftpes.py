"""What the stand-in FTP server tells and refuses, seen by the standard library's own client."""

import asyncio
import ftplib
import io
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from PIL import Image

from tocsin.standins.ftpes import FtpStandin, FtpSwitches


class Now:
    def now(self) -> datetime:
        return datetime(2024, 5, 30, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (32, 24)).save(written, "JPEG")
    return written.getvalue()


async def talk(switches: FtpSwitches, act: Callable[[ftplib.FTP], Any], context: ssl.SSLContext | None = None) -> Any:
    """What the client got, and what the stand-in told."""
    told: list[dict[str, Any]] = []
    standin = FtpStandin("127.0.0.1:0", told.append, Now(), switches)
    port = await standin.start()

    def client() -> Any:
        ftp = ftplib.FTP_TLS(context=context) if context else ftplib.FTP()
        try:
            ftp.connect("127.0.0.1", port, timeout=10)
            ftp.login(switches.user, switches.password)
            if isinstance(ftp, ftplib.FTP_TLS):
                ftp.prot_p()
            return act(ftp)
        except (ftplib.Error, OSError, EOFError) as error:
            return error
        finally:
            ftp.close()

    try:
        return await asyncio.to_thread(client), told
    finally:
        await standin.aclose()
        assert not standin.root.exists()


def a_set(ftp: ftplib.FTP) -> str:
    ftp.mkd("depot")
    ftp.storbinary("STOR depot/a.jpg.part", io.BytesIO(picture()))
    ftp.rename("depot/a.jpg.part", "depot/a.jpg")
    ftp.storbinary("STOR depot/b.jpg", io.BytesIO(b"no picture"))
    return ftp.storbinary("STOR depot/a.txt", io.BytesIO(b"Alarm: Person\r\n"))


async def test_a_slow_server_answers_each_command_late_and_in_order() -> None:
    def act(ftp: ftplib.FTP) -> tuple[str, float]:
        began = time.monotonic()
        answer = a_set(ftp)
        return answer, time.monotonic() - began

    (answer, took_s), told = await talk(FtpSwitches(delay_s=0.02), act)
    assert answer.startswith("226")
    assert [one["kind"] for one in told] == ["file", "file", "set"]
    assert took_s > 12 * 0.02  # MKD, RNFR, RNTO, and three times TYPE, PASV, STOR


async def test_files_by_their_final_name_and_sets_by_their_text() -> None:
    answer, told = await talk(FtpSwitches(), a_set)
    assert answer.startswith("226")
    first, second, whole = told
    assert (first["kind"], first["path"], first["width"]) == ("file", "depot/a.jpg", 32)
    assert "no JPEG" in second["problem"]
    assert (whole["kind"], whole["text"]) == ("set", "Alarm: Person\r\n")
    assert whole["files"] == ["depot/a.jpg", "depot/b.jpg", "depot/a.txt"]


async def test_tls_is_offered_and_where_demanded_nothing_goes_without(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    switches = FtpSwitches(cert=str(tmp_path / "pair.pem"), require_tls=True)
    _, told = await talk(switches, a_set, context)
    assert [one["tls"] for one in told] == [True] * 3
    refused, told = await talk(switches, a_set)
    assert "SSL/TLS required" in str(refused)
    assert told == []


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        (FtpSwitches(refuse_login=True), "530"),
        (FtpSwitches(disk_full=True), "452"),
        (FtpSwitches(refuse_files=True), "553"),
        (FtpSwitches(drop_after=100, drops=1), ""),
    ],
)
async def test_it_fails_on_command(switches: FtpSwitches, said: str) -> None:
    def act(ftp: ftplib.FTP) -> str:
        ftp.storbinary("STOR a.jpg.part", io.BytesIO(picture() + bytes(50_000)))
        return ftp.rename("a.jpg.part", "a.jpg")

    failed, told = await talk(switches, act)
    assert isinstance(failed, Exception)
    assert str(failed).startswith(said)
    assert told == []


async def test_a_slow_one_takes_its_time() -> None:
    began = asyncio.get_running_loop().time()
    answer, _ = await talk(
        FtpSwitches(slow=100_000), lambda ftp: ftp.storbinary("STOR a.jpg", io.BytesIO(bytes(400_000)))
    )
    assert str(answer).startswith("226")
    assert asyncio.get_running_loop().time() - began > 0.5
