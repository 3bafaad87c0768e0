"""On a link that does what real links do: no receipt without the station's answer, and no loss in the end."""

import random
from typing import Any

import pytest
from harness.faults import CLEAN, FaultProxy, any_fault

from tocsin.engine.contracts import LinkDown, TryLater


@pytest.mark.parametrize("seed", range(12))
async def test_no_receipt_without_the_stations_and_no_loss_in_the_end(bench: Any, station: Any, seed: int) -> None:
    arc, port = await station()
    randomness = random.Random(seed)
    async with FaultProxy("127.0.0.1", port) as proxy:
        proxy.script(*(any_fault(randomness, 250) for _ in range(6)), CLEAN)
        destination = bench.destination(proxy.port, reply_timeout=0.1, connect_timeout=0.5)
        for number in range(1, 5):
            due, receipt = bench.due(destination, number=number), None
            while receipt is None:
                try:
                    receipt = await destination.deliver(due, bench.attempt())
                except (TryLater, LinkDown):
                    continue
            assert receipt.answer == f'"ACK"{number:04d}L0#6F01[]'
            assert any(message.get("seq") == f"{number:04d}" for message in arc.messages)
        await destination.aclose()
    events = [message for message in arc.messages if message.get("token")]
    assert [message["seq"] for message in events] == sorted(message["seq"] for message in events), "in order"
