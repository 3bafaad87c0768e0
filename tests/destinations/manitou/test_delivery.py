"""What reaches the receiver, how its answers end a delivery, and which host is asked when."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.ports import free_port

from tocsin.engine.contracts import LinkDown, Rejected, TryLater
from tocsin.model.event import Event, Photo
from tocsin.transports.tls import server_context

Make = Callable[..., Event]


async def test_delivered_with_its_receipt(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    destination, attempt = bench.destination(port), bench.attempt()
    receipt = await destination.deliver(bench.due(destination, make_event(), 42), attempt)
    assert (receipt.host, receipt.answer) == (f"127.0.0.1:{port}", '<Ack ID="42"/>')
    [one] = arc.packets
    assert (one["problems"], one["number"], one["signal"]["TXID"], one["signal"]["Event"]) == ([], "42", "123588", "BA")
    [exchange] = attempt.exchanges
    assert (exchange.result, exchange.answer) == ("delivered", '<Ack ID="42"/>')
    assert exchange.sent.endswith("</Packet><CR><LF>\n")


@pytest.mark.parametrize("framing", ["crlf", "stx-etx", "null", "length4", "close"])
async def test_every_framing(bench: Any, make_event: Make, framing: str) -> None:
    arc, port = await bench.receiver(framing=framing)
    destination = bench.destination(port, framing=framing)
    for number in (1, 2):
        await destination.deliver(bench.due(destination, make_event(), number), bench.attempt())
    assert [one["problems"] for one in arc.packets] == [[], []]
    assert arc.connections == (2 if framing == "close" else 1)


async def test_the_observed_packet_takes_any_answer(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver(framing="stx-etx", observed=True, ack="thanks")
    destination = bench.destination(port, packet="observed")
    receipt = await destination.deliver(bench.due(destination, make_event()), bench.attempt())
    assert (receipt.answer, arc.packets[0]["problems"]) == ("thanks", [])
    arc.switches.nak = -1
    with pytest.raises(Rejected):
        await destination.deliver(bench.due(destination, make_event()), bench.attempt())


async def test_an_answer_that_came_before_its_question_is_none(bench: Any, make_event: Make) -> None:
    """A receiver that greets: any answer counts, but not one that was there before."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x02hello\x03")
        greeted.set()
        await reader.read()
        writer.close()

    greeted = asyncio.Event()
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    destination = bench.destination(port, packet="observed", resends=0, ack_timeout=0.3)
    line = await destination._lines.open(destination._hosts[0])
    await greeted.wait()
    async with asyncio.timeout(5):
        while not line._connection._buffer:
            await asyncio.sleep(0)
    await destination._lines.put_back(line)
    with pytest.raises(TryLater, match="no answer within"):
        await destination.deliver(bench.due(destination, make_event()), bench.attempt())
    await destination.aclose()
    server.close()


async def test_silence_is_answered_by_two_repeats_and_the_next_host(bench: Any, make_event: Make) -> None:
    (first, one), (second, two) = await bench.receiver(), await bench.receiver()
    first.switches.silent = -1
    destination, attempt = bench.destination(one, two, ack_timeout=0.2), bench.attempt()
    receipt = await destination.deliver(bench.due(destination, make_event(), 7), attempt)
    assert receipt.host == f"127.0.0.1:{two}"
    assert [exchange.result for exchange in attempt.exchanges] == ["silent"] * 3 + ["delivered"]
    assert [packet["number"] for packet in first.packets + second.packets] == ["7"] * 4
    assert [packet["repeat"] for packet in first.packets] == [False, True, True]
    assert first.connections == 1


async def test_a_repeat_may_be_answered(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.silent = 2
    destination, attempt = bench.destination(port, ack_timeout=0.2), bench.attempt()
    await destination.deliver(bench.due(destination, make_event()), attempt)
    assert [exchange.result for exchange in attempt.exchanges] == ["silent", "silent", "delivered"]


async def test_three_naks_are_a_refusal_and_one_is_not(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.nak = 3
    destination, attempt = bench.destination(port), bench.attempt()
    with pytest.raises(Rejected, match=r'refuses the packet: <Nak ID="1"/>'):
        await destination.deliver(bench.due(destination, make_event()), attempt)
    assert [exchange.result for exchange in attempt.exchanges] == ["refused"] * 3
    arc.switches.nak = 1
    assert (
        await destination.deliver(bench.due(destination, make_event(), 2), bench.attempt())
    ).answer == '<Ack ID="2"/>'


async def test_refused_by_one_with_the_other_away_waits(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.nak = -1
    destination = bench.destination(port, free_port(), resends=0)
    with pytest.raises(TryLater, match="refuses the packet"):
        await destination.deliver(bench.due(destination, make_event()), bench.attempt())


async def test_silent_everywhere_is_tried_later_with_the_same_number(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.silent = 2
    destination = bench.destination(port, resends=0, ack_timeout=0.2)
    for _ in range(2):
        with pytest.raises(TryLater, match=r"no answer within 0\.2 s"):
            await destination.deliver(bench.due(destination, make_event(), 1_000_000), bench.attempt())
    await destination.deliver(bench.due(destination, make_event(), 1_000_000), bench.attempt())
    assert [packet["number"] for packet in arc.packets] == ["100001"] * 3


async def test_an_answer_for_another_number_is_none_and_is_shown(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.wrong_number = True
    destination, attempt = bench.destination(port, resends=0, ack_timeout=0.3), bench.attempt()
    with pytest.raises(TryLater, match=r'it said <Ack ID="1"/>; compare ack'):
        await destination.deliver(bench.due(destination, make_event(), 5), attempt)
    assert attempt.exchanges[0].answer == '<Ack ID="1"/>'


async def test_cut_off_in_the_middle_of_the_answer_is_no_receipt(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.cut_once = True
    destination, attempt = bench.destination(port), bench.attempt()
    with pytest.raises(TryLater, match="in the middle of an answer"):
        await destination.deliver(bench.due(destination, make_event()), attempt)
    assert [exchange.result for exchange in attempt.exchanges] == ["broken"]
    await destination.deliver(bench.due(destination, make_event()), bench.attempt())
    assert [packet["repeat"] for packet in arc.packets] == [False, True]


async def test_a_late_answer_meets_no_other_packet(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver(ack="<Ack/>")
    arc.switches.delay_s = 0.4
    destination = bench.destination(port, ack="<Ack", resends=0, ack_timeout=0.2)
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination, make_event(), 1), bench.attempt())
    arc.switches.silent, arc.switches.delay_s = -1, 0.0
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination, make_event(), 2), bench.attempt())
    assert arc.connections == 2


async def test_an_endless_answer_is_given_up(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.noise = b"x" * 20_000
    destination = bench.destination(port)
    with pytest.raises(TryLater, match="without an end; check framing"):
        await destination.deliver(bench.due(destination, make_event()), bench.attempt())


async def test_nobody_can_be_reached(bench: Any, make_event: Make) -> None:
    destination, attempt = bench.destination(free_port(), free_port()), bench.attempt()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(bench.due(destination, make_event()), attempt)
    assert [each.result for each in attempt.exchanges] == ["unreachable", "unreachable"]
    assert not (await destination.check())[0].ok


async def test_the_connection_is_kept_and_a_dead_one_noticed(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    destination = bench.destination(port)
    for number in (1, 2, 3):
        await destination.deliver(bench.due(destination, make_event(), number), bench.attempt())
    assert arc.connections == 1
    arc.drop_connections()
    attempt = bench.attempt()
    await destination.deliver(bench.due(destination, make_event(), 4), attempt)
    assert arc.connections == 2
    assert attempt.exchanges[-1].result == "delivered"


async def test_the_ring_starts_at_the_first_host_again(bench: Any, make_event: Make) -> None:
    (_, one), (second, two) = await bench.receiver(), await bench.receiver()
    destination = bench.destination(one, two, keep=False)
    assert (await destination.deliver(bench.due(destination, make_event()), bench.attempt())).host.endswith(f":{one}")
    assert second.connections == 0


async def test_failback_closes_the_line_to_the_second_host(bench: Any, make_event: Make) -> None:
    first = free_port()
    (_, two) = await bench.receiver()
    destination = bench.destination(first, two)
    destination._lines._settings = destination._settings.model_copy(update={"failback_after": 0.0})
    due = bench.due(destination, make_event())
    assert (await destination.deliver(due, bench.attempt())).host.endswith(f":{two}")
    attempt = bench.attempt()
    await destination.deliver(due, attempt)
    assert [each.result for each in attempt.exchanges] == ["unreachable", "delivered"], "the first host was asked again"


async def test_heartbeats_supervise_over_the_same_connection(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    destination, attempt = bench.destination(port), bench.attempt()
    assert destination.supervision_s == 30
    await destination.deliver(bench.due(destination, make_event()), bench.attempt())
    assert (await destination.supervise(attempt)).answer == '<Ack ID="900000"/>'
    assert (await destination.supervise(attempt)).answer == '<Ack ID="900001"/>'
    assert [packet["heartbeat"] for packet in arc.packets] == [False, True, True]
    assert arc.connections == 1


async def test_three_missed_heartbeats_are_a_dead_link(bench: Any) -> None:
    arc, port = await bench.receiver()
    arc.switches.silent = -1
    destination = bench.destination(port, ack_timeout=0.1)
    with pytest.raises(LinkDown, match="no answer within"):
        await destination.supervise(bench.attempt())
    assert [packet["heartbeat"] for packet in arc.packets] == [True] * 3
    assert bench.destination(port, heartbeat_every="off").supervision_s is None


async def test_a_heartbeat_and_a_signal_do_not_meet(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.delay_s = 0.05
    destination = bench.destination(port)
    due = bench.due(destination, make_event())
    beat, receipt = await asyncio.gather(
        destination.supervise(bench.attempt()), destination.deliver(due, bench.attempt())
    )
    assert (beat.answer, receipt.answer) == ('<Ack ID="900000"/>', '<Ack ID="1"/>')
    assert arc.connections == 1


async def test_cancelled_in_the_middle_leaves_nothing_behind(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    arc.switches.silent = 1
    destination = bench.destination(port)
    due = bench.due(destination, make_event())
    task = asyncio.create_task(destination.deliver(due, bench.attempt()))
    async with asyncio.timeout(5):
        while not arc.packets:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await destination.deliver(due, bench.attempt())).answer == '<Ack ID="1"/>'
    assert [packet["repeat"] for packet in arc.packets] == [False, True]


async def test_pictures_in_the_packet(bench: Any, make_event: Make, make_photo: Callable[..., Photo]) -> None:
    arc, port = await bench.receiver()
    destination, attempt = bench.destination(port, photos="jpg"), bench.attempt(make_photo(1), make_photo(2, width=64))
    due = bench.due(destination, make_event(photos=2))
    await destination.deliver(due, attempt)
    assert [one["width"] for one in arc.packets[0]["pictures"]] == [32, 64]
    assert "bytes of" in attempt.exchanges[0].sent
    rendered = destination.render(due, [make_photo(1), make_photo(2, width=64)])[0]
    assert len(rendered.data) == arc.packets[0]["bytes"] + 2
    assert "unconfirmed" in rendered.note


async def test_photos_are_not_read_when_they_do_not_go_along(bench: Any, make_event: Make) -> None:
    arc, port = await bench.receiver()
    destination, attempt = bench.destination(port), bench.attempt()
    attempt.photos = None
    await destination.deliver(bench.due(destination, make_event(photos=3)), attempt)
    assert arc.packets[0]["pictures"] == []


async def test_tls_and_what_is_missing(bench: Any, make_event: Make, authority: Any) -> None:
    _, port = await bench.receiver(tls=server_context(*authority.issue("arc.example.net")))
    good = bench.destination(port, tls={"ca_file": authority.ca, "server_name": "arc.example.net"})
    await good.deliver(bench.due(good, make_event()), bench.attempt())
    assert [step.ok for step in await good.check()] == [True, True, True]
    foreign = bench.destination(port, tls={"server_name": "arc.example.net"})
    with pytest.raises(LinkDown, match=r"Example Root.*tls\.ca_file"):
        await foreign.deliver(bench.due(foreign, make_event()), bench.attempt())
    assert [step.ok for step in await foreign.check()] == [True, False]


async def test_check_says_what_a_silent_receiver_may_mean(bench: Any) -> None:
    arc, port = await bench.receiver()
    arc.switches.silent = -1
    *_, last = await bench.destination(port, ack_timeout=0.1).check()
    assert (last.ok, "framing" in last.hint) == (False, True)
    *_, off = await bench.destination(port, heartbeat_every="off").check()
    assert off.detail == "not sent: heartbeat_every is off"


async def test_what_sia_has_no_code_for_is_filtered(bench: Any, make_event: Make) -> None:
    destination = bench.destination(free_port())
    assert "SIA has no code" in destination.address(make_event(kind="system_stopped"), None).unsupported
