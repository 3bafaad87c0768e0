"""Against an independent station: pysiaalarm's server.

It takes one read as one frame, wants a receiver number in every frame, and with Contact ID at most one extended field.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pysiaalarm import CommunicationsProtocol, SIAAccount, SIAEvent
from pysiaalarm.aio import SIAClient

from tocsin.engine.contracts import Rejected, TryLater

KEYS = {"plain": None, "AES-128": "0123456789ABCDEF", "AES-256": "0123456789ABCDEF" * 2}
ONE_FIELD = {"area": False, "device": False, "link": False, "info": False, "position": False}


@asynccontextmanager
async def independent_station(key: str | None, account: str = "6F01") -> AsyncIterator[tuple[int, list[SIAEvent]]]:
    taken: list[SIAEvent] = []

    async def take(event: SIAEvent) -> None:
        taken.append(event)

    station = SIAClient("127.0.0.1", 0, [SIAAccount(account, key)], function=take, protocol=CommunicationsProtocol.TCP)
    await station.async_start()
    try:
        yield station.server.sockets[0].getsockname()[1], taken
    finally:
        await station.async_stop()


def destination(bench: Any, port: int, key: str | None, **changes: Any) -> Any:
    keyed = {"key": {"text": key}} if key else {}
    return bench.destination(port, receiver="1", account="6F01", **(keyed | changes))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_sia_dcs(bench: Any, key: str | None) -> None:
    async with independent_station(key) as (port, taken):
        arc = destination(bench, port, key)
        for number in (1, 2):
            receipt = await arc.deliver(bench.due(arc, number=number), bench.attempt())
            assert "ACK" in receipt.answer
        await arc.aclose()
    assert [event.code for event in taken] == ["BA", "BA"]
    assert [(event.account, event.ri, event.message, event.sequence) for event in taken] == [
        ("6F01", "2", "17", "0001"),
        ("6F01", "2", "17", "0002"),
    ]
    assert all(event.valid_message for event in taken)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_contact_id(bench: Any, key: str | None) -> None:
    async with independent_station(key) as (port, taken):
        arc = destination(bench, port, key, format="ADM-CID", fields=ONE_FIELD)
        await arc.deliver(bench.due(arc), bench.attempt())
        await arc.aclose()
    (event,) = taken
    assert (event.event_qualifier, event.event_type, event.partition) == ("1", "130", "02")
    assert event.valid_message


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_polls(bench: Any, key: str | None) -> None:
    async with independent_station(key) as (port, _):
        arc = destination(bench, port, key)
        assert "ACK" in (await arc.supervise(bench.attempt())).answer
        assert [step.ok for step in await arc.check()] == [True, True]
        await arc.aclose()


async def test_an_account_it_does_not_know(bench: Any) -> None:
    async with independent_station(None, account="1111") as (port, taken):
        arc = destination(bench, port, None, reply_timeout=0.3)
        with pytest.raises((Rejected, TryLater)):
            await arc.deliver(bench.due(arc), bench.attempt())
        await arc.aclose()
    assert taken == []


async def test_another_key_than_its_own(bench: Any) -> None:
    async with independent_station("another key 1234") as (port, taken):
        arc = destination(bench, port, KEYS["AES-128"], reply_timeout=0.3)
        with pytest.raises((Rejected, TryLater)):
            await arc.deliver(bench.due(arc), bench.attempt())
        await arc.aclose()
    assert taken == []
