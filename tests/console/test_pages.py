"""What the pages show and do, as a browser without script gets them."""

import html
import random
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Served, Station, member, served

from tocsin.console.looks import wire
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.webhook.destination import build
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.engine.clock import LoopClock
from tocsin.engine.gateway import Member
from tocsin.engine.routing import Filter
from tocsin.model.device import Device
from tocsin.transports.sockets import SocketNetwork

HTML = {"accept": "text/html"}


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    stations = [
        member(Station("arc")),
        member(Station("aside", "refuses")),
        member(Station("fire"), filter_=Filter(kinds=frozenset({"fire"}))),
    ]
    async with served(tmp_path, stations) as it:
        yield it


async def page(gw: Served, path: str, status: int = 200) -> str:
    async with gw.http.get(path, headers=HTML) as answer:
        assert answer.status == status
        return html.unescape(re.sub(r"\s+", " ", await answer.text()))


async def test_the_overview_shows_destinations_events_and_what_needs_a_person(gw: Served) -> None:
    taken = await gw.post(text="north gate", actors=[{"class": "person", "confidence": 0.93}])
    await gw.settles(taken["id"], "aside", "rejected")
    text = await page(gw, "/")
    for shown in (
        "north-depot",
        "Person detected",
        "Gate camera",
        "Depot",
        "north gate",
        "person 93%",
        "192.0.2.5:4001",
    ):
        assert shown in text
    assert 'title="aside: set aside, the station does not know account 9280"' in text


async def test_what_is_not_there_is_said_to_people_without_words_for_programs(gw: Served) -> None:
    assert "There is no such page." in await page(gw, "/nothing", 404)
    assert "There is no such event here, or you may not see it." in await page(gw, "/events/nothing", 404)


async def test_an_event_shows_deliveries_facts_and_the_rule_that_said_no(gw: Served) -> None:
    taken = await gw.post(occurred_at="2024-05-30T22:15:04+03:00", battery=87)
    await gw.settles(taken["id"], "arc", "delivered")
    for path in (f"/events/{taken['id']}", f"/events/{taken['id']}/panel"):
        text = await page(gw, path)
        for shown in ("ACK 0042", "22:15:04", "+03:00", "19:15:04 UTC", "87 %", taken["id"]):
            assert shown in text
        assert "filter.kinds: motion is not among fire" in text


async def test_an_event_shows_which_address_each_destination_uses_for_its_device(tmp_path: Path) -> None:
    entry = WebhookSettings(name="hook", type="webhook", url="https://hook.example.net/", site="1")
    around = Surroundings(LoopClock(), random.Random(1), SocketNetwork(), lambda _: None)
    devices = [Device("d1", description="Json:#9999-1, Json:#9999|1234")]
    hook = build(entry, around)
    async with aclosing(hook), served(tmp_path, [Member(hook, "webhook", "")], devices=devices) as gw:
        taken = await gw.post()
        text = await page(gw, f"/events/{taken['id']}/panel")
        assert "Addresses now" in text
        assert "#9999-1" in text
        assert "the device's description" in text
        assert "'Json:#9999|1234' is not used: the area has 4 characters" in text
        assert "Addresses now" not in await page(gw, f"/events/{(await gw.post(device_id='nobody'))['id']}/panel")


async def test_the_trace_shows_bytes_with_control_bytes_apart(gw: Served) -> None:
    taken = await gw.post()
    await gw.settles(taken["id"], "arc", "delivered")
    text = await page(gw, f"/events/{taken['id']}/trace/arc")
    assert '<b class="ctl">LF</b>6C2A0071"SIA-DCS"' in text
    assert 'data-copy="<LF>6C2A0071' in text
    await page(gw, f"/events/{taken['id']}/trace/nowhere", 404)


async def test_what_was_set_aside_is_listed_and_tried_again_without_script(gw: Served) -> None:
    assert "Nothing is set aside" in await page(gw, "/aside")
    taken = await gw.post()
    await gw.settles(taken["id"], "aside", "rejected")
    text = await page(gw, "/aside")
    assert "the station does not know account 9280" in text
    (action,) = re.findall(r'action="(/deliveries/[^"]+/discard)"', text)
    token = re.findall(r'name="csrf" value="([0-9a-f]+)"', text)[0]
    async with gw.http.post(action, data={"csrf": token}, headers=HTML, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (303, f"/events/{taken['id']}")
    assert (await gw.states(taken["id"]))["aside"] == "discarded"
    async with gw.http.post(action, data={"csrf": token}, headers=HTML) as answer:
        assert answer.status == 409
        assert "is discarded" in await answer.text()


async def test_what_comes_from_outside_is_shown_and_never_run(gw: Served) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x>"
    taken = await gw.post(text=evil)
    for path in ("/", f"/events/{taken['id']}"):
        async with gw.http.get(path, headers=HTML) as answer:
            raw = await answer.text()
        assert "<script>alert" not in raw
        assert "<img src=x" not in raw
        assert "&lt;script&gt;alert(1)" in raw


async def test_pages_hold_no_inline_script_or_style_and_ask_nobody_else(gw: Served) -> None:
    taken = await gw.post(actors=[{"class": "person", "box": [0.1, 0.2, 0.3, 0.4]}])
    for path in ("/", "/aside", f"/events/{taken['id']}", "/nothing"):
        async with gw.http.get(path, headers=HTML) as answer:
            raw = await answer.text()
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", raw)
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", raw)


async def test_older_events_follow(gw: Served) -> None:
    for n in range(51):
        await gw.post("info", text=f"number {n} of many")
    text = await page(gw, "/")
    assert "number 1 of many" in text
    assert "number 0 of many" not in text
    (older,) = re.findall(r'hx-get="(/events\?cursor=\d+)"', text)
    assert "number 0 of many" in await page(gw, older)


async def test_events_of_one_device_alone(gw: Served) -> None:
    await gw.post(device_id="d1", text="one here")
    await gw.post(device_id="d2", text="one there")
    text = await page(gw, "/?device_id=d1")
    assert "one here" in text
    assert "one there" not in text
    assert 'sse-connect="/live?device_id=d1&newest=1"' in text
    assert "Nothing matches" in await page(gw, "/?area=Nowhere")


@pytest.mark.parametrize("path", ["/events/nothing", "/nothing", "/static/nothing.css"])
async def test_what_is_not_there_is_said_in_words(gw: Served, path: str) -> None:
    assert "To the overview" in await page(gw, path, 404)


async def test_programs_still_get_problem_documents(gw: Served) -> None:
    async with gw.http.get("/api/v1/events/nothing", headers=HTML) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_static_files_come_with_their_licences(gw: Served) -> None:
    for name in (
        "console.css",
        "console.js",
        "theme.js",
        "htmx-2.0.11.min.js",
        "htmx-ext-sse-2.2.4.js",
        "LICENSES.txt",
    ):
        async with gw.http.get(f"/static/{name}") as answer:
            assert answer.status == 200
            assert await answer.read()
    async with gw.http.get("/static/..%2fapp.py") as answer:
        assert answer.status == 404


@given(st.text(max_size=60))
def test_wire_text_is_always_escaped(text: str) -> None:
    shown = str(wire(text))
    bare = re.sub(r'</?b(?: class="ctl")?>', "", shown)
    assert "<" not in bare
    assert ">" not in bare


async def test_devices_with_their_last_contact_and_battery(gw: Served) -> None:
    written = {"name": "<b>Cam</b>", "routine": "24h", "thresholds": {"battery_low": 25}}
    async with gw.http.put("/api/v1/devices/n1", json=written) as answer:
        assert answer.status == 200
    assert "not heard yet" in await page(gw, "/devices")
    await gw.post(device_id="n1", battery=20)
    text = await page(gw, "/devices")
    for shown in ("<b>Cam</b>", "expected every 24 h", ">online<", "last contact", "battery 20 % low"):
        assert shown in text
