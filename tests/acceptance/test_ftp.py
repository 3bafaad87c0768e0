"""The real program and Debian's vsftpd: EBÜS sets and DC-09 pictures over FTPES, and what a technician sees."""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from tests.acceptance.conftest import Program
from tests.ftpd import PASSWORD, USER, Ftpd, needs, vsftpd

from tocsin.engine.clock import LoopClock
from tocsin.standins.dc09 import Station

pytestmark = needs("vsftpd")
CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[[devices]]
id = "01E211D51A00006B"
name = "Tor Süd"
description = "EBUS:depot-nord, SIA:#9280-001"
[[destinations]]
name = "ebus"
type = "ebus"
hosts = ["FTP_HOST"]
user = "FTP_USER"
password = "FTP_PASSWORD"
tls = { ca_file = "ca.pem" }
path = "in"
create_dirs = true
supervision = "off"
filter = { kinds = ["motion"] }
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:DC09_PORT"]
supervision = "off"
filter = { kinds = ["motion"] }
[destinations.photos]
by = "ftp"
hosts = ["FTP_HOST"]
user = "FTP_USER"
password = "FTP_PASSWORD"
tls = { ca_file = "ca.pem" }
path = "in"
url = "ftp://media.example.net/gw"
"""


@pytest.fixture
def ftpd(tmp_path: Path) -> Iterator[Ftpd]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair = tmp_path / "pair.pem"
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(pair))
    (tmp_path / "ftpd").mkdir()
    with vsftpd(tmp_path / "ftpd", (str(pair), str(pair))) as server:
        yield server


def configured(server: Ftpd, dc09_port: int) -> str:
    values = {"FTP_HOST": server.host, "FTP_USER": USER, "FTP_PASSWORD": PASSWORD, "DC09_PORT": str(dc09_port)}
    text = CONFIGURATION
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


async def test_an_alarm_with_photos_reaches_both(
    program: Callable[[str], Program], ftpd: Ftpd, photo: Callable[[int], bytes]
) -> None:
    receiver = Station(LoopClock(), random.Random(1))
    tocsin = program(configured(ftpd, await receiver.start()))
    try:
        code, said = await tocsin.call("check", "--connect")
        assert code == 0, said
        assert "listed over a data connection" in said
        async with tocsin.running():
            body = aiohttp.FormData()
            event = '{"kind": "motion", "device_id": "01E211D51A00006B", "occurred_at": "2026-03-04T05:06:07Z"}'
            body.add_field("event", event, content_type="application/json")
            for n in (1, 2):
                body.add_field("photo", photo(n), content_type="image/jpeg", filename=f"{n}.jpg")
            status, answer = await tocsin.post("/api/v1/events", data=body)
            assert status == 202, answer
            await tocsin.until(f"/api/v1/events/{answer['id']}", _all_delivered)
            trace = await tocsin.get(f"/api/v1/events/{answer['id']}/deliveries/ebus/trace")
    finally:
        await receiver.aclose()
    names = ftpd.names("depot-nord")
    assert [name.rpartition("_")[2] for name in names] == ["ALARM.txt", "01.jpg", "02.jpg"]
    assert b"Text: Bewegung erkannt, Tor Sued\r\n" in (ftpd.inbox / "depot-nord" / names[0]).read_bytes()
    assert ftpd.names("9280") == ["20260304T050607Z_11E2_1.jpg", "20260304T050607Z_11E2_2.jpg"]
    assert (ftpd.inbox / "9280" / "20260304T050607Z_11E2_2.jpg").read_bytes() == photo(2)
    referred = [value for name, value in receiver.messages[0]["fields"] if name == "U"]
    assert referred == [f"ftp://media.example.net/gw/9280/20260304T050607Z_11E2_{n}.jpg" for n in (1, 2)]
    assert PASSWORD not in str(trace) + tocsin.log()


def _all_delivered(event: Any) -> bool:
    return len(event["deliveries"]) == 2 and all(one["state"] == "delivered" for one in event["deliveries"])


WRONG = """
[[destinations]]
name = "NAME"
type = "ebus"
hosts = ["HOST"]
user = "ftp"
password = "SECRET"
tls = { ca_file = "CA" }
"""


async def test_check_names_what_is_wrong(program: Callable[[str], Program], ftpd: Ftpd) -> None:
    local = ftpd.host.replace("127.0.0.1", "localhost")
    cases = {
        "password": (ftpd.host, "another-one", "ca.pem", f"refuses the user {USER} or its password"),
        "authority": (ftpd.host, PASSWORD, "", "not trusted here"),
        "host": (local, PASSWORD, "ca.pem", "does not carry the expected name"),
    }
    text = '[api]\nlisten = "127.0.0.1:API_PORT"\n'
    for name, (host, secret, ca, _) in cases.items():
        values = {"NAME": name, "HOST": host, "SECRET": secret, "CA": ca}
        text += re.sub("NAME|HOST|SECRET|CA", lambda mark, values=values: values[mark[0]], WRONG)  # type: ignore[misc]
    code, said = await program(text).call("check", "--connect")
    assert code == 1
    for *_, part in cases.values():
        assert part in " ".join(said.split())
    assert PASSWORD not in said
    assert "another-one" not in said


@pytest.fixture
def photo() -> Callable[[int], bytes]:
    import io

    from PIL import Image

    def make(n: int) -> bytes:
        written = io.BytesIO()
        Image.new("RGB", (64, 48), (n * 40, 90, 40)).save(written, "JPEG")
        return written.getvalue()

    return make
