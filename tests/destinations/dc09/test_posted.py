"""Over a standing line nobody waits for the acknowledgement; whatever else comes ends as if somebody had."""

import asyncio
import random
from typing import Any

import pytest
from harness.faults import CLEAN, FaultProxy, any_fault

from tocsin.destinations.dc09 import posted
from tocsin.engine.contracts import Attempt, LinkDown, Prompt, Rejected, TryLater
from tocsin.model.delivery import Due, Receipt


async def brought(destination: Any, due: Due, attempt: Attempt) -> tuple[Receipt, bool]:
    """The receipt, and whether it came without anybody waiting."""
    answer: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
    if destination.stands() and destination.begin(due, attempt, lambda d, a, receipt: answer.set_result(receipt)):
        async with asyncio.timeout(5):
            receipt = await answer
        if receipt is not None:
            return receipt, True
    return await destination.deliver(due, attempt), False


async def test_the_second_message_needs_nobody_who_waits(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    assert isinstance(destination, Prompt)
    assert not destination.stands()
    first, second = bench.attempt(), bench.attempt()
    assert (await brought(destination, bench.due(destination, number=1), first))[1] is False
    receipt, alone = await brought(destination, bench.due(destination, number=2), second)
    assert alone
    assert receipt.answer == '"ACK"0002L0#6F01[]'
    [one], [other] = first.exchanges, second.exchanges
    assert (other.result, other.host) == (one.result, one.host) == ("delivered", f"127.0.0.1:{port}")
    assert other.answer.endswith('"ACK"0002L0#6F01[]<CR>')
    assert [message["seq"] for message in arc.messages] == ["0001", "0002"]
    assert arc.connections == 1


async def test_an_encrypted_exchange_is_noted_with_its_clear_text(bench: Any, station: Any) -> None:
    key = bytes(range(16))
    _, port = await station(keys={"*": key})
    destination = bench.destination(port, key={"hex": key.hex()})
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    attempt = bench.attempt()
    _, alone = await brought(destination, bench.due(destination, number=2), attempt)
    assert alone
    assert "clear text: [#6F01|N" in attempt.exchanges[0].note
    assert key.hex().upper() not in str(attempt.exchanges).upper()


async def test_nak_and_duh_end_as_ever(bench: Any, station: Any) -> None:
    arc, port = await station()
    other, second_port = await station()
    destination = bench.destination(port, second_port)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())

    arc.switches.nak_once = True
    attempt = bench.attempt()
    assert (await brought(destination, bench.due(destination, number=2), attempt))[1] is False
    assert [each.result for each in attempt.exchanges] == ["resync", "delivered"]
    assert [message["seq"] for message in arc.messages if message.get("seq") == "0002"][-1] == "0002"

    arc.switches.duh = {"*"}
    attempt = bench.attempt()
    receipt, _ = await brought(destination, bench.due(destination, number=3), attempt)
    assert [each.result for each in attempt.exchanges] == ["refused", "delivered"]
    assert receipt.host == f"127.0.0.1:{second_port}"

    other.switches.duh = {"*"}
    with pytest.raises(Rejected, match="DUH"):
        await brought(destination, bench.due(destination, number=4), bench.attempt())


async def test_a_silent_station_is_waited_for_and_then_the_next_is_asked(
    bench: Any, station: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posted, "UNATTENDED_S", 0.01)
    arc, port = await station()
    _, second_port = await station()
    destination = bench.destination(port, second_port, reply_timeout=0.2)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.silent = True
    attempt = bench.attempt()
    receipt, alone = await brought(destination, bench.due(destination, number=2), attempt)
    assert not alone
    assert [each.result for each in attempt.exchanges] == ["silent", "delivered"]
    assert receipt.host == f"127.0.0.1:{second_port}"


async def test_a_late_answer_is_taken_by_whoever_waits(
    bench: Any, station: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posted, "UNATTENDED_S", 0.01)
    arc, port = await station()
    destination = bench.destination(port)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.delay_s = 0.1
    attempt = bench.attempt()
    receipt, alone = await brought(destination, bench.due(destination, number=2), attempt)
    assert not alone
    assert receipt.answer == '"ACK"0002L0#6F01[]'
    assert [each.result for each in attempt.exchanges] == ["delivered"]
    assert len(arc.messages) == 2, "it was not sent again"


async def test_a_line_that_breaks_under_it_is_no_attempt_of_its_host(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.cut_once = True
    attempt = bench.attempt()
    receipt, alone = await brought(destination, bench.due(destination, number=2), attempt)
    assert not alone
    assert [each.result for each in attempt.exchanges] == ["broken", "delivered"]
    assert receipt.host == f"127.0.0.1:{port}"


async def test_a_line_for_which_there_is_no_more_room_is_closed(bench: Any, station: Any) -> None:
    """A poll opened another while this one was waited on."""
    arc, port = await station()
    destination = bench.destination(port, connections=1)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.delay_s = 0.2
    bringing = asyncio.create_task(brought(destination, bench.due(destination, number=2), bench.attempt()))
    while len(arc.messages) < 2:
        await asyncio.sleep(0.005)
    arc.switches.delay_s = 0.0
    await destination.supervise(bench.attempt())
    assert (await bringing)[1], "nobody waited for it"
    assert arc.connections == 2
    async with asyncio.timeout(5):
        while arc._connections.standing > 1:
            await asyncio.sleep(0.005)


async def test_closing_leaves_nobody_and_no_line_behind(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.silent = True
    heard: list[Receipt | None] = []
    assert destination.begin(bench.due(destination, number=2), bench.attempt(), lambda d, a, r: heard.append(r))
    await destination.aclose()
    assert heard == [None]
    assert not destination.stands()


@pytest.mark.parametrize("seed", range(12))
async def test_no_receipt_without_the_stations_and_no_loss_in_the_end(
    bench: Any, station: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posted, "UNATTENDED_S", 0.02)
    arc, port = await station()
    randomness = random.Random(seed)
    async with FaultProxy("127.0.0.1", port) as proxy:
        proxy.script(CLEAN, *(any_fault(randomness, 400) for _ in range(6)), CLEAN)
        destination = bench.destination(proxy.port, reply_timeout=0.1, connect_timeout=0.5)
        for number in range(1, 9):
            due, receipt = bench.due(destination, number=number), None
            while receipt is None:
                try:
                    receipt, _ = await brought(destination, due, bench.attempt())
                except (TryLater, LinkDown):
                    continue
            assert receipt.answer == f'"ACK"{number:04d}L0#6F01[]'
            assert any(message.get("seq") == f"{number:04d}" for message in arc.messages)
        await destination.aclose()
    events = [message for message in arc.messages if message.get("token")]
    assert [message["seq"] for message in events] == sorted(message["seq"] for message in events), "in order"
