"""Between panel and receiver a link that does what real links do: what was acknowledged was kept, once, in order."""

import random
from typing import Any

import pytest
from harness.faults import CLEAN, FaultProxy, any_fault

from tocsin.engine.clock import LoopClock
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork


@pytest.mark.parametrize("seed", range(12))
async def test_acknowledged_is_kept_once_and_in_order(receiving: Any, seed: int) -> None:
    gw = await receiving()
    randomness = random.Random(seed)
    async with FaultProxy("127.0.0.1", gw.port) as proxy:
        proxy.script(*(any_fault(randomness, 200) for _ in range(6)), CLEAN)
        options = PanelOptions(Endpoint("127.0.0.1", proxy.port), "6F01", reply_timeout_s=0.1, pause_s=0.0)
        panel = StandInPanel(options, SocketNetwork(), LoopClock(), random.Random(seed))
        sent = [await panel.event(f"#6F01|NBA{zone}") for zone in range(1, 6)]
        await panel.aclose()
    assert [each.answer for each in sent] == ["ACK"] * 5
    assert [event.address.zone for event in gw.intake.events] == ["1", "2", "3", "4", "5"]
