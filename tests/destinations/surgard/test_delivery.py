"""Connecting: heartbeat first, one record at a time, repeats, fail-over, and what ends a delivery."""

import asyncio
from typing import Any

import pytest
import trustme
from tests.destinations.surgard.conftest import Bench, Software
from tests.ports import free_port

from tocsin.engine.contracts import LinkDown, TryLater
from tocsin.model.event import Address
from tocsin.transports.tls import server_context

RECORD = "5011 186F01E13002017"


def kinds(host: Any) -> list[str]:
    return [each["kind"] for each in host.messages]


async def test_the_heartbeat_first_then_the_record_with_its_receipt(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port), bench.attempt()
    receipt = await destination.deliver(bench.due(destination), attempt)
    assert (receipt.host, receipt.answer) == (f"127.0.0.1:{port}", "<06>")
    assert kinds(arc) == ["heartbeat", "contact-id"]
    assert arc.records() == [RECORD]
    assert [each["faults"] for each in arc.messages] == [[], []]
    first, second = attempt.exchanges
    assert (first.result, first.sent, first.note) == ("note", "1011           @    <14>", "heartbeat")
    assert (second.result, second.sent, second.answer) == ("delivered", f"{RECORD}<14>", "<06>")


async def test_the_connection_is_kept_and_heartbeats_prove_it(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    for number in range(1, 4):
        await destination.deliver(bench.due(destination, number=number), bench.attempt())
    assert (await destination.supervise(bench.attempt())).answer == "<06>"
    assert kinds(arc) == ["heartbeat", "contact-id", "contact-id", "contact-id", "heartbeat"]
    assert arc.connections == 1
    assert destination.supervision_s == 30.0
    assert bench.destination(port, heartbeat="off").supervision_s is None


async def test_five_digit_header_and_sia(bench: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.line_digits = 3
    destination = bench.destination(port, format="sia2", line_digits=3)
    await destination.deliver(bench.due(destination), bench.attempt())
    assert [each["record"] for each in arc.messages] == ["101000           @    ", "S01001[#6F01|Nri2/BA17]"]
    assert [each["faults"] for each in arc.messages] == [[], []]


async def test_nak_is_repeated_and_then_taken(bench: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.nak_first = 2
    destination, attempt = bench.destination(port), bench.attempt()
    await destination.deliver(bench.due(destination), attempt)
    assert [each["answer"] for each in arc.messages] == ["ACK", "NAK", "NAK", "ACK"]
    assert attempt.exchanges[-1].note == "sent 3 times"


async def test_nak_for_ever_holds_up_only_this_event(bench: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.nak_first = 2
    destination = bench.destination(port, attempts=2)
    with pytest.raises(TryLater, match="answers the record with NAK, 2 times"):
        await destination.deliver(bench.due(destination), bench.attempt())
    await destination.deliver(bench.due(destination), bench.attempt())
    assert arc.connections == 2, "a line on which a record failed is not used again"


async def test_four_attempts_then_the_link_counts_as_dead(bench: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.silent = True
    destination, attempt = bench.destination(port, wait=0.1), bench.attempt()
    with pytest.raises(LinkDown, match="did not acknowledge the heartbeat: sent 4 times"):
        await destination.deliver(bench.due(destination), attempt)
    assert kinds(arc) == ["heartbeat"] * 4, "no event before a heartbeat was acknowledged"
    assert [each.result for each in attempt.exchanges] == ["silent"]


async def test_a_record_the_software_chokes_on_does_not_hold_up_the_others(bench: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.silent_to = {"6F01"}
    destination = bench.destination(port, wait=0.1)
    with pytest.raises(TryLater, match="did not acknowledge the record: sent 4 times"):
        await destination.deliver(bench.due(destination), bench.attempt())
    other = bench.due(destination, bench.event(address=Address("9999")), number=2)
    await destination.deliver(other, bench.attempt())
    assert arc.records() == [RECORD] * 4 + ["5011 189999E13000000"]
    assert [each["repeat"] for each in arc.messages if each["account"] == "6F01"] == [False, True, True, True]


async def test_a_late_answer_meets_no_other_record(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port, wait=0.4), bench.attempt()
    await destination.supervise(attempt)
    arc.switches.delay_s = 0.6
    await destination.deliver(bench.due(destination), attempt)
    assert attempt.exchanges[-1].note == "sent 2 times"
    arc.switches.delay_s = 0.0
    arc.switches.silent_to = {"9999"}
    other = bench.due(destination, bench.event(address=Address("9999")), number=2)
    with pytest.raises(TryLater, match="did not acknowledge"):
        await destination.deliver(other, bench.attempt())
    assert arc.connections == 2, "the late answer had no connection left to come by"


async def test_dropped_instead_of_answered(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port), bench.attempt()
    await destination.supervise(bench.attempt())
    arc.switches.drop_once = True
    await destination.deliver(bench.due(destination), attempt)
    assert [each.result for each in attempt.exchanges] == ["broken", "note", "delivered"]
    assert arc.connections == 2, "a kept link that breaks at sending costs no attempt"
    arc.switches.drop = True
    with pytest.raises(LinkDown, match="closed the connection before answering"):
        await destination.deliver(bench.due(destination), bench.attempt())


async def test_a_connection_the_software_closed_is_noticed_before_use(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port), bench.attempt()
    await destination.deliver(bench.due(destination), bench.attempt())
    arc.drop_connections()
    await destination.deliver(bench.due(destination, number=2), attempt)
    assert [each.result for each in attempt.exchanges if each.result != "broken"] == ["note", "delivered"]


async def test_the_second_host_takes_over_and_the_first_comes_back(bench: Bench, station: Software) -> None:
    (first, one), (second, two) = await station(), await station()
    first.switches.silent = True
    destination = bench.destination(one, two, wait=0.1)
    assert (await destination.deliver(bench.due(destination), bench.attempt())).host.endswith(f":{two}")
    first.switches.silent = False
    assert (await destination.deliver(bench.due(destination), bench.attempt())).host.endswith(f":{two}")
    second.switches.drop = True
    attempt = bench.attempt()
    assert (await destination.deliver(bench.due(destination), attempt)).host.endswith(f":{one}")
    assert [each.result for each in attempt.exchanges] == ["broken", "note", "delivered"]
    assert destination.hosts_in_use().endswith(f":{one}")


async def test_failback_after_returns_to_the_first_host(bench: Bench, station: Software) -> None:
    class Later:
        at = 0.0
        now = staticmethod(bench.clock.now)

        def monotonic(self) -> float:
            return real.monotonic() + self.at

    real, bench.clock = bench.clock, Later()
    (first, one), (_, two) = await station(), await station()
    first.switches.silent = True
    destination = bench.destination(one, two, wait=0.1, failback_after="60s")
    assert (await destination.supervise(bench.attempt())).host.endswith(f":{two}")
    first.switches.silent = False
    assert (await destination.supervise(bench.attempt())).host.endswith(f":{two}")
    bench.clock.at = 61.0
    assert (await destination.supervise(bench.attempt())).host.endswith(f":{one}")


async def test_nobody_can_be_reached(bench: Bench) -> None:
    destination, attempt = bench.destination(free_port(), free_port()), bench.attempt()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(bench.due(destination), attempt)
    assert [each.result for each in attempt.exchanges] == ["unreachable", "unreachable"]
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.supervise(bench.attempt())


async def test_without_heartbeats_events_go_at_once(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination = bench.destination(port, heartbeat="off", wait=0.1)
    await destination.deliver(bench.due(destination), bench.attempt())
    assert kinds(arc) == ["contact-id"]
    arc.drop_connections()
    arc.switches.silent = True
    with pytest.raises(TryLater, match="did not acknowledge the record"):
        await destination.deliver(bench.due(destination, number=2), bench.attempt())


async def test_a_cancelled_delivery_leaves_no_connection_behind(bench: Bench, station: Software) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    await destination.supervise(bench.attempt())
    arc.switches.silent = True
    task = asyncio.create_task(destination.deliver(bench.due(destination), bench.attempt()))
    await arc.until(lambda: len(arc.records()) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    arc.switches.silent = False
    await destination.deliver(bench.due(destination, number=2), bench.attempt())
    assert arc.connections == 2


async def test_a_peer_that_says_something_else(bench: Bench) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\x14")
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    destination = bench.destination(server.sockets[0].getsockname()[1], wait=0.1, attempts=1)
    with pytest.raises(LinkDown, match=r"it sent 'HTTP/1\.1 400 Bad Request.*which is no answer"):
        await destination.supervise(bench.attempt())
    await destination.aclose()
    server.close()


async def test_tls_with_a_private_authority_and_a_client_certificate(
    bench: Bench, station: Software, tmp_path: Any
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("127.0.0.1", "gateway.example.net"):
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    theirs, ours, ca = (str(tmp_path / name) for name in ("127.0.0.1.pem", "gateway.example.net.pem", "ca.pem"))
    _, port = await station(tls=server_context(theirs, theirs, ca))
    destination = bench.destination(port, tls={"ca_file": ca, "cert": ours, "key": ours})
    await destination.deliver(bench.due(destination), bench.attempt())
    stranger = bench.destination(port, tls={"cert": ours, "key": ours})
    with pytest.raises(LinkDown, match="ca_file"):
        await stranger.deliver(bench.due(stranger), bench.attempt())
    anonymous = bench.destination(port, tls={"ca_file": ca}, wait=0.5, attempts=1)
    with pytest.raises((LinkDown, TryLater)):
        await anonymous.deliver(bench.due(anonymous), bench.attempt())


async def test_check_says_what_to_do(bench: Bench, station: Software) -> None:
    arc, port = await station()
    good = await bench.destination(port).check()
    assert [(step.what, step.ok) for step in good] == [
        (f"connect to 127.0.0.1:{port}", True),
        (f"heartbeat to 127.0.0.1:{port}", True),
    ]
    assert arc.records() == [], "no event is sent"
    assert "first event" in (await bench.destination(port, heartbeat="off").check())[-1].detail
    arc.switches.silent = True
    silent = (await bench.destination(port, wait=0.1).check())[-1]
    assert (silent.ok, "line_digits" in silent.hint) == (False, True)
    (gone,) = await bench.destination(free_port()).check()
    assert (gone.ok, "refuses the connection" in gone.detail) == (False, True)
