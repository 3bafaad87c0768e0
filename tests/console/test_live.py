"""The pieces that keep an open page up to date."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from serving import Served, served

from tocsin.api.limits import Limits
from tocsin.console.live import Gathered
from tocsin.engine.hub import Change


@asynccontextmanager
async def watching(gw: Served, query: str = "") -> AsyncIterator[aiohttp.StreamReader]:
    async with gw.http.get(f"/live{query}") as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b"event: hello\ndata: \n\n"
        assert gw.gateway.hub.watched, "whoever is greeted misses nothing from there on"
        yield answer.content


async def piece(stream: aiohttp.StreamReader, name: str, holding: str = "") -> str:
    async with asyncio.timeout(10):
        while True:
            frame = (await stream.readuntil(b"\n\n")).decode()
            if frame.startswith(f"event: {name}\n") and holding in frame:
                return frame


async def test_a_new_event_comes_as_a_row_with_its_deliveries_and_figures(tmp_path: Path) -> None:
    async with served(tmp_path) as gw, watching(gw) as stream:
        await gw.post(text="north gate")
        row = await piece(stream, "events")
        assert 'id="e-1"' in row
        assert "north gate" in row
        update = await piece(stream, "update", "arc: delivered")
        for shown in ('id="d-1-arc"', 'id="fd-1-arc"', 'id="c-arc"', 'id="summary"', 'id="overall"'):
            assert shown in update


async def test_a_filtered_page_hears_of_its_own_events_only(tmp_path: Path) -> None:
    async with served(tmp_path) as gw, watching(gw, "?device_id=d2") as stream:
        await gw.post(device_id="d1", text="not this")
        await gw.post(device_id="d2", text="but this")
        assert "not this" not in await piece(stream, "events", "but this")


async def test_what_came_before_the_stream_comes_first(tmp_path: Path) -> None:
    async with served(tmp_path) as gw:
        await gw.post(device_id="d1", text="seen before")
        taken = await gw.post(device_id="d1", text="in between")
        await gw.settles(taken["id"], "arc", "delivered")
        async with watching(gw, "?newest=1") as stream:
            for name in ("commands", "systems", "evidence"):
                await piece(stream, name)
            fresh = await piece(stream, "events")
            assert "in between" in fresh
            assert "seen before" not in fresh
            update = await piece(stream, "update", "seen before")
            assert 'id="c-arc"' in update
        async with watching(gw, "?event=2") as stream:
            assert "ACK 0042" in await piece(stream, "update", 'id="fd-2-arc"')


async def test_more_than_a_page_in_between_asks_the_page_to_load_again(tmp_path: Path) -> None:
    async with served(tmp_path) as gw:
        body = b'{"kind":"info","device_id":"d1"}\n' * 60
        async with gw.http.post(
            "/api/v1/events", data=body, headers={"content-type": "application/x-ndjson"}
        ) as answer:
            assert answer.status == 202
        async with watching(gw, "?newest=3") as stream:
            assert await piece(stream, "refresh")


async def test_late_pictures_change_the_row(tmp_path: Path) -> None:
    async with served(tmp_path) as gw:
        taken = await gw.post(classification="pending")
        async with watching(gw) as stream:
            await gw.gateway.amend(taken["id"], None, "done", "detectors")
            assert "row" in await piece(stream, "update", 'id="e-1"')


async def test_a_heart_beats(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(heartbeat_s=0.01)) as gw, watching(gw) as stream:
        while not (await stream.readuntil(b"\n\n")).startswith(b": heartbeat"):
            pass


async def test_too_much_at_once_asks_the_page_to_load_again(tmp_path: Path) -> None:
    async with served(tmp_path) as gw, watching(gw) as stream:
        body = b'{"kind":"info","device_id":"d1"}\n' * 200
        headers = {"content-type": "application/x-ndjson"}
        async with gw.http.post("/api/v1/events", data=body, headers=headers) as answer:
            assert answer.status == 202
        assert await piece(stream, "refresh")


def test_what_was_missed_is_known() -> None:
    gathered = Gathered()
    assert not gathered
    gathered.add(Change("missed", "", {"count": 5}))
    assert gathered
    assert gathered.lost
