"""What reaches the station, how its answers end a delivery, and which host is asked when."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import trustme
from tests.ports import free_port

from tocsin.engine.contracts import LinkDown, Rejected, TryLater
from tocsin.model.event import Address
from tocsin.protocols.dc09.frames import wrap
from tocsin.telemetry.occurrences import ClockOffset, Notice, Trouble
from tocsin.transports.tls import server_context

KEY = "30313233343536373839414243444546"


async def test_delivered_with_its_receipt_and_the_exact_bytes(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port), bench.attempt()
    receipt = await destination.deliver(bench.due(destination, number=42), attempt)
    assert receipt.host == f"127.0.0.1:{port}"
    assert receipt.answer == '"ACK"0042L0#6F01[]'
    (message,) = arc.messages
    assert (message["seq"], message["account"], message["data"]) == ("0042", "6F01", "#6F01|Nri2/BA17")
    assert message["fields"] == [["S", "North depot"], ["L", "Detector 2DAD"], ["H", "08:15:28,03-04-2026"]]
    assert message["faults"] == []
    (exchange,) = attempt.exchanges
    assert (exchange.result, exchange.host) == ("delivered", f"127.0.0.1:{port}")
    assert exchange.sent.startswith("<LF>")
    assert exchange.sent.endswith("<CR>")
    assert '"SIA-DCS"0042L0#6F01[#6F01|Nri2/BA17][SNorth depot]' in exchange.sent
    assert exchange.answer.startswith("<LF>")
    assert '"ACK"0042' in exchange.answer


async def test_contact_id_with_receiver_and_prefix(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port, format="ADM-CID", receiver="1", prefix="234")
    await destination.deliver(bench.due(destination), bench.attempt())
    (message,) = arc.messages
    assert message["data"] == "#6F01|1130 02 017"
    assert (message["token"], message["receiver"], message["prefix"]) == ("ADM-CID", "1", "234")


@pytest.mark.parametrize("key", [KEY, KEY * 2], ids=["AES-128", "AES-256"])
async def test_encrypted_and_the_key_is_nowhere(bench: Any, station: Any, key: str) -> None:
    arc, port = await station(keys={"*": bytes.fromhex(key)})
    destination, attempt = bench.destination(port, key={"hex": key}), bench.attempt()
    await destination.deliver(bench.due(destination), attempt)
    await destination.supervise(attempt)
    assert [message["data"] for message in arc.messages] == ["#6F01|Nri2/BA17", ""]
    assert all(message["encrypted"] and not message["faults"] for message in arc.messages)
    told = repr((attempt.exchanges, bench.occurrences, destination.__dict__)) + repr(await destination.check())
    assert key not in told
    assert bytes.fromhex(key).decode() not in told
    assert "clear text: [#6F01|Nri2/BA17][SNorth depot]" in attempt.exchanges[0].note


async def test_an_encrypted_message_does_not_believe_a_plain_acknowledgement(bench: Any, station: Any) -> None:
    arc, port = await station(keys={"*": bytes.fromhex(KEY)})
    arc.switches.plain_ack = True
    destination, attempt = bench.destination(port, key={"hex": KEY}, reply_timeout=0.3), bench.attempt()
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination), attempt)
    assert "ignored: a plain ACK does not fit the message" in attempt.exchanges[0].note


async def test_refused_by_every_host_is_rejected(bench: Any, station: Any) -> None:
    (first, one), (second, two) = await station(), await station()
    first.switches.duh = second.switches.duh = {"*"}
    destination, attempt = bench.destination(one, two), bench.attempt()
    with pytest.raises(Rejected, match="answers DUH"):
        await destination.deliver(bench.due(destination), attempt)
    assert [each.result for each in attempt.exchanges] == ["refused", "refused"]


async def test_refused_by_one_host_goes_to_the_next(bench: Any, station: Any) -> None:
    (first, one), (_, two) = await station(), await station()
    first.switches.duh = {"6F01"}
    destination = bench.destination(one, two)
    assert (await destination.deliver(bench.due(destination), bench.attempt())).host.endswith(f":{two}")


async def test_a_host_that_refused_is_not_asked_again(bench: Any, station: Any) -> None:
    (first, one), (second, two) = await station(), await station()
    first.switches.duh = {"6F01"}
    second.switches.silent = True
    destination = bench.destination(one, two, reply_timeout=0.3)
    for _ in range(2):
        with pytest.raises(TryLater):
            await destination.deliver(bench.due(destination), bench.attempt())
    assert [len(first.messages), len(second.messages)] == [1, 2]
    second.switches.silent = False
    assert (await destination.deliver(bench.due(destination), bench.attempt())).host.endswith(f":{two}")


async def test_a_refused_event_with_the_other_host_gone_does_not_pause_the_station(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.duh = {"6F01"}
    destination = bench.destination(port, free_port())
    with pytest.raises(TryLater, match="DUH"):
        await destination.deliver(bench.due(destination), bench.attempt())
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination), bench.attempt())
    other = bench.due(destination, bench.event(address=Address("9999")), number=2)
    assert (await destination.deliver(other, bench.attempt())).answer == '"ACK"0002L0#9999[]'


async def test_nobody_can_be_reached(bench: Any) -> None:
    destination, attempt = bench.destination(free_port(), free_port()), bench.attempt()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(bench.due(destination), attempt)
    assert [each.result for each in attempt.exchanges] == ["unreachable", "unreachable"]


async def test_the_second_host_when_the_first_is_closed(bench: Any, station: Any) -> None:
    _, port = await station()
    destination, attempt = bench.destination(free_port(), port), bench.attempt()
    assert (await destination.deliver(bench.due(destination), attempt)).host.endswith(f":{port}")
    assert [each.result for each in attempt.exchanges] == ["unreachable", "delivered"]
    assert destination.hosts_in_use().endswith(f":{port}")


async def test_the_second_host_after_one_timeout_of_the_first(bench: Any, station: Any) -> None:
    (first, one), (second, two) = await station(), await station()
    first.switches.silent = True
    destination, attempt = bench.destination(one, two, reply_timeout=0.3), bench.attempt()
    assert (await destination.deliver(bench.due(destination, number=7), attempt)).host.endswith(f":{two}")
    assert [each.result for each in attempt.exchanges] == ["silent", "delivered"]
    assert first.messages[0]["seq"] == second.messages[0]["seq"] == "0007"


async def test_silent_everywhere_is_tried_later_with_the_same_number(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.silent = True
    destination = bench.destination(port, reply_timeout=0.3)
    for _ in range(2):
        with pytest.raises(TryLater, match="no answer within"):
            await destination.deliver(bench.due(destination, number=10_000), bench.attempt())
    arc.switches.silent = False
    await destination.deliver(bench.due(destination, number=10_000), bench.attempt())
    assert [message["seq"] for message in arc.messages] == ["0001"] * 3
    assert [message["repeat"] for message in arc.messages] == [False, True, True]


async def test_cut_off_in_the_middle_of_the_answer_is_no_acknowledgement(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.cut_once = True
    destination, attempt = bench.destination(port), bench.attempt()
    with pytest.raises(TryLater, match="in the middle of an answer"):
        await destination.deliver(bench.due(destination), attempt)
    assert [each.result for each in attempt.exchanges] == ["broken"]
    await destination.deliver(bench.due(destination), bench.attempt())
    assert [message["repeat"] for message in arc.messages] == [False, True]


async def test_an_answer_with_another_number_is_ignored(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.wrong_sequence = True
    destination, attempt = bench.destination(port, reply_timeout=0.3), bench.attempt()
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination), attempt)
    assert "ignored: ACK for number 0002; ours is 0001" in attempt.exchanges[0].note


async def test_a_late_answer_meets_no_other_message(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.delay_s = 0.6
    destination = bench.destination(port, reply_timeout=0.3)
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination, number=1), bench.attempt())
    arc.switches.delay_s = 0.0
    assert '"ACK"0002' in (await destination.deliver(bench.due(destination, number=2), bench.attempt())).answer


async def test_nak_is_answered_at_once_with_the_same_number(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.nak_once = True
    destination, attempt = bench.destination(port), bench.attempt()
    await destination.deliver(bench.due(destination, number=5), attempt)
    assert [each.result for each in attempt.exchanges] == ["resync", "delivered"]
    assert [message["seq"] for message in arc.messages] == ["0005", "0005"]
    assert any(isinstance(each, Notice) for each in bench.occurrences)


async def test_a_large_clock_offset_is_learnt_and_raised(bench: Any, station: Any) -> None:
    class Slow:
        """A gateway's clock that is ten minutes behind."""

        def now(self) -> object:
            return real.now() - timedelta(minutes=10)

        monotonic = staticmethod(lambda: 0.0)

    real = bench.clock
    arc, port = await station(keys={"*": bytes.fromhex(KEY)})
    bench.clock = Slow()
    destination, attempt = bench.destination(port, key={"hex": KEY}), bench.attempt()
    await destination.deliver(bench.due(destination, number=1), attempt)
    await destination.deliver(bench.due(destination, number=2), attempt)
    assert [each.result for each in attempt.exchanges] == ["resync", "delivered", "delivered"]
    (offset,) = [each for each in bench.occurrences if isinstance(each, ClockOffset)]
    assert 590 < offset.offset_s < 610
    assert arc.messages[-1]["faults"] == []


async def test_connections_are_kept(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port)
    for number in range(1, 6):
        await destination.deliver(bench.due(destination, number=number), bench.attempt())
    assert arc.connections == 1


async def test_or_one_per_message(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port, keep=False)
    for number in range(1, 4):
        await destination.deliver(bench.due(destination, number=number), bench.attempt())
    assert arc.connections == 3


async def test_a_connection_the_station_has_closed_is_noticed_before_use(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.close_after_answer = True
    destination, attempt = bench.destination(port), bench.attempt()
    for number in range(1, 6):
        await destination.deliver(bench.due(destination, number=number), attempt)
        arc.drop_connections()
    assert len(arc.messages) == 5
    assert {each.result for each in attempt.exchanges} <= {"delivered", "broken"}


async def test_a_kept_link_that_breaks_at_sending_costs_no_attempt(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination, attempt = bench.destination(port), bench.attempt()
    await destination.deliver(bench.due(destination, number=1), attempt)
    arc.switches.cut_once = True
    receipt = await destination.deliver(bench.due(destination, number=2), attempt)
    assert '"ACK"0002' in receipt.answer
    assert [each.result for each in attempt.exchanges] == ["delivered", "broken", "delivered"]


async def test_a_new_connection_starts_at_the_first_host(bench: Any, station: Any) -> None:
    (first, one), (second, two) = await station(), await station()
    first.switches.silent = True
    destination = bench.destination(one, two, reply_timeout=0.3)
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    first.switches.silent = False
    await destination.deliver(bench.due(destination, number=2), bench.attempt())
    assert len(second.messages) == 2, "a link that works is used"
    second.switches.cut_once = True
    assert (await destination.deliver(bench.due(destination, number=3), bench.attempt())).host.endswith(f":{one}")


async def test_failback_after_closes_the_link_to_the_second_host(bench: Any, station: Any) -> None:
    class Later:
        at = 0.0
        now = staticmethod(bench.clock.now)

        def monotonic(self) -> float:
            return self.at

    bench.clock = Later()
    (first, one), (_, two) = await station(), await station()
    first.switches.silent = True
    destination = bench.destination(one, two, reply_timeout=0.3, failback_after="60s")
    await destination.deliver(bench.due(destination, number=1), bench.attempt())
    first.switches.silent = False
    assert (await destination.supervise(bench.attempt())).host.endswith(f":{two}")
    bench.clock.at = 61.0
    assert (await destination.supervise(bench.attempt())).host.endswith(f":{one}")


async def test_several_accounts_at_once_over_their_own_connections(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.delay_s = 0.05
    destination = bench.destination(port, connections=4)
    events = [bench.event(address=Address(f"600{number}")) for number in range(4)]
    await asyncio.gather(*(destination.deliver(bench.due(destination, event), bench.attempt()) for event in events))
    assert arc.connections == 4
    assert {message["account"] for message in arc.messages} == {"6000", "6001", "6002", "6003"}


async def test_a_cancelled_delivery_leaves_no_connection_behind(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.silent = True
    destination = bench.destination(port)
    task = asyncio.create_task(destination.deliver(bench.due(destination), bench.attempt()))
    while not arc.messages:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    arc.switches.silent = False
    assert '"ACK"0002' in (await destination.deliver(bench.due(destination, number=2), bench.attempt())).answer
    assert arc.connections == 2


async def test_the_configured_attempts_at_one_host(bench: Any, station: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.destinations.dc09.destination.BETWEEN_ATTEMPTS_S", 0.0)
    arc, port = await station()
    arc.switches.silent = True
    destination = bench.destination(port, attempts=3, reply_timeout=0.3)
    with pytest.raises(TryLater):
        await destination.deliver(bench.due(destination), bench.attempt())
    assert len(arc.messages) == 3


async def test_udp(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port, transport="udp")
    await destination.deliver(bench.due(destination), bench.attempt())
    assert arc.messages[0]["data"] == "#6F01|Nri2/BA17"
    assert arc.connections == 0


async def test_udp_to_a_closed_port_is_a_link_that_is_down(bench: Any) -> None:
    destination = bench.destination(free_port(), transport="udp")
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(bench.due(destination), bench.attempt())


async def test_a_host_that_speaks_something_else(bench: Any) -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r")
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(web, "127.0.0.1", 0)
    destination = bench.destination(server.sockets[0].getsockname()[1])
    with pytest.raises(TryLater, match="something else than DC-09"):
        await destination.deliver(bench.due(destination), bench.attempt())
    server.close()


async def test_supervision_polls_the_default_account(bench: Any, station: Any) -> None:
    arc, port = await station()
    destination = bench.destination(port, receiver="1", prefix="20")
    assert (await destination.supervise(bench.attempt())).answer == '"ACK"0000R1L20#9280[]'
    assert (arc.messages[0]["token"], arc.messages[0]["seq"]) == ("NULL", "0000")
    assert destination.supervision_s == 60.0
    assert bench.destination(port, supervision="SP5").supervision_s == 85.0
    assert bench.destination(port, supervision="off").supervision_s is None
    assert bench.destination(port, account=None).supervision_s is None


async def test_supervision_of_a_silent_station(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.silent = True
    with pytest.raises(LinkDown, match="no answer"):
        await bench.destination(port, reply_timeout=0.3).supervise(bench.attempt())


async def test_a_station_that_refuses_polls_is_up_and_the_refusal_is_told_once(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.duh = {"9280"}
    destination = bench.destination(port)
    for _ in range(2):
        assert (await destination.supervise(bench.attempt())).answer == "DUH"
    assert [type(each) for each in bench.occurrences] == [Trouble]


async def test_check_of_a_good_station(bench: Any, station: Any) -> None:
    _, port = await station()
    steps = await bench.destination(port).check()
    assert [(step.what, step.ok) for step in steps] == [
        (f"connect to 127.0.0.1:{port}", True),
        (f"poll 127.0.0.1:{port} for account 9280", True),
    ]


async def test_check_tells_what_to_do(bench: Any, station: Any) -> None:
    arc, port = await station()
    arc.switches.duh = {"*"}
    refused = (await bench.destination(port).check())[-1]
    assert (refused.ok, "does not know this account" in refused.hint) == (False, True)
    arc.switches.duh, arc.switches.silent = set(), True
    silent = (await bench.destination(port, reply_timeout=0.3).check())[-1]
    assert (silent.ok, "silent when account" in silent.hint) == (False, True)
    gone = await bench.destination(free_port(), account=None).check()
    assert [step.ok for step in gone] == [False]
    assert (await bench.destination(port, account=None).check())[-1].detail == "not sent: there is no default account"
    assert "refuses the connection" in gone[0].detail


async def test_what_cannot_be_said_is_rejected(bench: Any) -> None:
    destination = bench.destination(1, format="ADM-CID", oversized_numbers="refuse")
    good = bench.due(destination)
    with pytest.raises(Rejected, match="no DC-09 address"):
        await destination.deliver(type(good)(good.key, good.lane, "elsewhere", "", 1, good.event), bench.attempt())
    number = type(good)(good.key, good.lane, "#6F01|123-17", "6F01", 1, good.event)
    with pytest.raises(Rejected, match="does not fit into Contact ID"):
        await destination.deliver(number, bench.attempt())


async def test_render_gives_the_bytes_and_sends_nothing(bench: Any) -> None:
    destination = bench.destination(1)
    (rendered,) = destination.render(bench.due(destination, number=10_001), ())
    assert rendered.name == "frame"
    assert b'"SIA-DCS"0002L0#6F01[#6F01|Nri2/BA17][SNorth depot][LDetector 2DAD][H08:15:28,03-04-2026]_' in (
        rendered.data
    )


async def test_an_answer_with_data_is_an_acknowledgement_and_is_shown(bench: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r")
        writer.write(wrap(b'"RSP"0001L0#6F01[call back][Ksecret]'))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    destination = bench.destination(server.sockets[0].getsockname()[1])
    receipt = await destination.deliver(bench.due(destination), bench.attempt())
    assert receipt.answer == '"RSP"0001L0#6F01[call back][K***]: call back'
    await destination.aclose()
    server.close()


async def test_tls_and_a_foreign_certificate(bench: Any, station: Any, tmp_path: Any) -> None:
    ca = trustme.CA(organization_unit_name="Example Root")
    pair = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    arc, port = await station(tls=server_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")))
    destination = bench.destination(port, tls={"ca_file": str(tmp_path / "ca.pem")})
    assert '"ACK"' in (await destination.deliver(bench.due(destination), bench.attempt())).answer
    assert [step.ok for step in await destination.check()] == [True, True, True]
    foreign = bench.destination(port, tls={})
    with pytest.raises(LinkDown, match="Example Root"):
        await foreign.deliver(bench.due(foreign), bench.attempt())
    steps = await foreign.check()
    assert [step.ok for step in steps] == [True, False]
    assert "tls.ca_file" in steps[-1].detail
    assert len([message for message in arc.messages if message.get("token") == "SIA-DCS"]) == 1


async def test_each_host_is_a_path_that_is_proved_by_itself(bench: Any, station: Any) -> None:
    (first, one), (second, two) = await station(), await station()
    destination = bench.destination(one, two, supervision="DP4")
    assert [(path.name, path.poll_s) for path in destination.paths()] == [
        (f"127.0.0.1:{one}", 85.0),
        (f"127.0.0.1:{two}", 295.0),
    ]
    assert destination.proved_at(f"127.0.0.1:{two}") is None
    assert (await destination.prove(f"127.0.0.1:{two}", bench.attempt())).answer == '"ACK"0000L0#9280[]'
    assert destination.proved_at(f"127.0.0.1:{two}") is not None
    assert [message["token"] for message in second.messages] == ["NULL"]
    await destination.deliver(bench.due(destination), bench.attempt())
    assert destination.proved_at(f"127.0.0.1:{one}") is not None
    assert [message["token"] for message in first.messages] == ["SIA-DCS"], "events stay with the first host"


async def test_a_path_that_does_not_answer(bench: Any, station: Any) -> None:
    (_, one), (second, two) = await station(), await station()
    destination = bench.destination(one, two, supervision="60s", second_path="5m")
    second.switches.silent = True
    with pytest.raises(LinkDown, match="no answer"):
        await destination.prove(f"127.0.0.1:{two}", bench.attempt())
    await second.aclose()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.prove(f"127.0.0.1:{two}", bench.attempt())
    assert destination.proved_at(f"127.0.0.1:{two}") is None
    second.switches.silent = False
    assert (await destination.supervise(bench.attempt())).answer.startswith('"ACK"')


async def test_paths_are_only_proved_where_there_are_two_and_it_is_wanted(bench: Any, station: Any) -> None:
    _, one = await station()
    assert bench.destination(one, supervision="DP4").paths() == []
    assert bench.destination(one, one + 1, supervision="SP5").paths() == []
    assert bench.destination(one, one + 1, supervision="off", second_path="5m").paths() == []
    assert bench.destination(one, one + 1, account=None, supervision="DP4").paths() == []
