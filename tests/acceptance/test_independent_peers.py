"""An independent panel and a detector with a photo on one side; independent stations, mail, a webhook on the other."""

import asyncio
import io
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from my_dc09_spt.dc09_spt import dc09_spt
from PIL import Image
from pysiaalarm import CommunicationsProtocol, SIAAccount, SIAEvent
from pysiaalarm.aio import SIAClient
from tests.acceptance.conftest import Program, listening
from tests.ports import free_port

from tocsin.engine.clock import LoopClock
from tocsin.standins import smtp, webhook

KEY = "0123456789ABCDEF" * 2
PANEL_KEY = b"Sample key number three, 32 byte"

CONFIGURATION = """
[gateway]
name = "depot"
[api]
listen = "127.0.0.1:API_PORT"
[[areas]]
name = "North depot"
[[devices]]
id = "01AD2DD41C0000C1"
name = "Gate camera"
area = "North depot"
description = "SIA:#9280|00-001 Json:#9999-1"
[[sources]]
name = "panels"
type = "dc09"
listen = "127.0.0.1:PANELS"
accounts = [{ account = "9280", area = "North depot" }, { account = "9281", key = { text = "PANEL_KEY" } }]
[[destinations]]
name = "plain"
type = "dc09"
hosts = ["127.0.0.1:PLAIN"]
receiver = "1"
supervision = "off"
filter = { kinds = ["motion", "burglary"] }
[[destinations]]
name = "encrypted"
type = "dc09"
format = "ADM-CID"
hosts = ["127.0.0.1:SECRET"]
receiver = "1"
key = { text = "STATION_KEY" }
supervision = "off"
fields = { area = false, device = false, link = false, info = false, position = false }
filter = { kinds = ["motion", "burglary"] }
[[destinations]]
name = "guards"
type = "email"
hosts = ["localhost:MAIL"]
tls = { mode = "required", ca_file = "ca.pem" }
sender = "gateway@example.net"
to = ["guards@example.net"]
filter = { kinds = ["motion", "burglary"] }
[[destinations]]
name = "operators"
type = "webhook"
url = "http://127.0.0.1:HOOK/alarms"
filter = { kinds = ["motion", "burglary"] }
"""


class Desk:
    """The peers of one test and what each of them saw."""

    def __init__(self) -> None:
        self.plain: list[SIAEvent] = []
        self.secret: list[SIAEvent] = []
        self.mails: list[dict[str, Any]] = []
        self.posts: list[dict[str, Any]] = []
        self.ports: dict[str, int] = {"PANELS": free_port()}


async def _pysiaalarm(stack: AsyncExitStack, taken: list[SIAEvent], key: str | None) -> int:
    async def take(event: SIAEvent) -> None:
        taken.append(event)

    accounts = [SIAAccount(number, key) for number in ("9280", "9281")]
    station = SIAClient("127.0.0.1", 0, accounts, function=take, protocol=CommunicationsProtocol.TCP)
    await station.async_start()
    stack.push_async_callback(station.async_stop)
    port: int = station.server.sockets[0].getsockname()[1]
    return port


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    one = Desk()
    async with AsyncExitStack() as stack:
        one.ports["PLAIN"] = await _pysiaalarm(stack, one.plain, None)
        one.ports["SECRET"] = await _pysiaalarm(stack, one.secret, KEY)
        mail = smtp.MailStandin("127.0.0.1:0", one.mails.append, LoopClock(), smtp.MailSwitches(tls=context))
        one.ports["MAIL"] = await mail.start()
        stack.push_async_callback(mail.aclose)
        hook = webhook.WebhookStandin("127.0.0.1:0", one.posts.append, LoopClock())
        one.ports["HOOK"] = await hook.start()
        stack.push_async_callback(hook.aclose)
        yield one


def _configured(one: Desk) -> str:
    text = CONFIGURATION.replace("STATION_KEY", KEY).replace("PANEL_KEY", PANEL_KEY.decode())
    for name, port in one.ports.items():
        text = text.replace(name, str(port))
    return text


def _jpeg() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (320, 240), (20, 60, 90)).save(picture, "JPEG")
    return picture.getvalue()


def _independent_panel(port: int) -> None:
    """my-dc09-spt: one plain Contact ID and one encrypted SIA event, each with its own transmitter."""
    for account, key, form, told in (
        ("9280", None, "ADM-CID", {"account": "9280", "code": 130, "q": 1, "zone": 17, "area": 2}),
        ("9281", PANEL_KEY, "SIA-DCS", {"code": "BA", "zone": 3, "area": 2}),
    ):
        panel = dc09_spt(account)
        panel.set_path("main", "primary", "127.0.0.1", port, account=account, key=key)
        panel.send_msg(form, told)


def _all_delivered(found: Any) -> bool:
    events = [one for one in found["items"] if one["kind"] in ("motion", "burglary")]
    states = [delivery["state"] for one in events for delivery in one["deliveries"]]
    return len(events) == 3 and set(states) == {"delivered"}


async def test_panel_and_detector_to_every_station(tmp_path: Path, program: Callable[[str], Program]) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    async with desk(tmp_path) as one:
        tocsin = program(_configured(one))
        async with tocsin.running():
            await listening(one.ports["PANELS"])
            await asyncio.to_thread(_independent_panel, one.ports["PANELS"])
            form = aiohttp.FormData()
            seen = [{"class": "person", "confidence": 0.93}]
            event = json.dumps({"kind": "motion", "device_id": "01AD2DD41C0000C1", "actors": seen})
            form.add_field("event", event, content_type="application/json")
            form.add_field("photo", _jpeg(), filename="1.jpg", content_type="image/jpeg")
            status, answer = await tocsin.post("/api/v1/events", data=form)
            assert (status, answer["destinations"]) == (202, ["plain", "encrypted", "guards", "operators"])
            await tocsin.until("/api/v1/events?limit=10", _all_delivered)
            code, table = await tocsin.call("events")
            assert code == 0
            assert table.count("burglary") == 2
            code, shown = await tocsin.call("events", answer["id"])
            print(shown)
            assert code == 0
            for part in ('"SIA-DCS"', '"*ADM-CID"', '"ACK"', '"*ACK"', "Subject: ", "250 ", "HTTP 200", "POST /alarms"):
                assert part in shown, part
            assert KEY not in shown
    _saw_everything(one)


def _saw_everything(one: Desk) -> None:
    assert sorted((event.account, event.code, event.ri or "", event.message) for event in one.plain) == [
        ("9280", "BA", "", "001"),
        ("9280", "BA", "02", "017"),
        ("9281", "BA", "2", "3"),
    ]
    assert len(one.secret) == 3
    assert all(event.valid_message for event in one.plain + one.secret)
    assert len(one.mails) == 3
    assert all(mail["tls"] for mail in one.mails)
    assert len(one.posts) == 3
    assert sum(len(post["photos"]) for post in one.posts) == 1


@pytest.fixture(autouse=True)
def _quiet_peers() -> None:
    logging.getLogger("pysiaalarm").setLevel(logging.CRITICAL)
