"""Signals over real sockets: what reaches the service, and who waits when it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.destinations.bench import Bench
from tests.ports import free_port

from tocsin.destinations.stages.destination import StagesDestination, build
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.event import Event
from tocsin.standins.stages import Demands, StagesStandin, fault
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.transports.tls import server_context

PASSWORD = "p<ss&word-of-the-arc"


class Services(Bench):
    """Stand-in services and destinations that talk to them."""

    async def service(self, *scripted: Misbehaviour, tls: Any = None, **demands: Any) -> int:
        standin = StagesStandin("127.0.0.1:0", self.received.append, self.surroundings.clock, Demands(**demands), tls)
        return await self.serve(standin.web, *scripted)

    def destination(self, *ports: int, scheme: str = "http", **changes: Any) -> StagesDestination:
        urls = [f"{scheme}://127.0.0.1:{port}/s/receiver.asmx" for port in ports]
        table = {"name": "arc", "type": "stages", "urls": urls, "line": "1", "account": "4711", **changes}
        return self.closes(build(StagesSettings.model_validate(table), self.surroundings))


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Services]:
    async with Services(surroundings) as made:
        yield made


@pytest.fixture
def due(make_due: Callable[..., Due], make_event: Callable[..., Event]) -> Due:
    return make_due(make_event(), "L1#4711|1-5")


async def test_delivered_with_login_and_no_trace_of_the_password(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt], recorded: list[Any]
) -> None:
    port = await bench.service(user="u", password=PASSWORD, result="OK")
    destination, attempt = bench.destination(port, user="u", password=PASSWORD), make_attempt()
    receipt = await destination.deliver(due, attempt)
    assert (receipt.host, receipt.answer) == (f"127.0.0.1:{port}", "HTTP 200 OK, result OK")
    [one] = bench.received
    assert one["problems"] == []
    assert one["signal"]["SignalCode"] == "E13001005"
    [exchange] = attempt.exchanges
    assert exchange.result == "delivered"
    assert "<UserPassword>***</UserPassword>" in exchange.sent
    everything = f"{attempt.exchanges} {recorded} {destination.render(due, ())} {await destination.check()}"
    assert not [form for form in (PASSWORD, "p&lt;ss&amp;word") if form in everything]


async def test_a_wrong_password_is_refused_and_its_echo_masked(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    echo = fault("Sender", f"login u / {PASSWORD} is not known")
    port = await bench.service(Misbehaviour(echo))
    attempt = make_attempt()
    with pytest.raises(Rejected, match=r"is not known") as caught:
        await bench.destination(port, user="u", password=PASSWORD).deliver(due, attempt)
    everything = f"{caught.value} {attempt.exchanges}"
    assert not [form for form in (PASSWORD, "p&lt;ss&amp;word") if form in everything]
    other = await bench.service(user="u", password="another")
    with pytest.raises(Rejected, match="user or password is wrong"):
        await bench.destination(other, user="u", password=PASSWORD).deliver(due, make_attempt())


@pytest.mark.parametrize(
    ("misbehaviour", "error", "result", "part"),
    [
        (Misbehaviour(fault("Sender", "unknown element")), Rejected, "refused", "unknown element"),
        (Misbehaviour(fault("Receiver", "database away")), TryLater, "retry", "database away"),
        (Misbehaviour(Reply(503, headers=(("Retry-After", "7"),))), TryLater, "retry", "503"),
        (Misbehaviour(Reply(404)), Rejected, "refused", "Check the path"),
        (Misbehaviour(Reply(200, b"<html/>")), TryLater, "retry", "not in SOAP"),
        (Misbehaviour(Reply(401)), LinkDown, "unreachable", "login"),
        (Misbehaviour(fault="close"), TryLater, "broken", "before it answered"),
        (Misbehaviour(fault="cut"), TryLater, "broken", "in the middle of its answer"),
        (Misbehaviour(fault="silent"), TryLater, "silent", "no complete answer within 0.3 s"),
        (Misbehaviour(delay_s=1), TryLater, "silent", "no complete answer"),
    ],
)
async def test_no_receipt_and_then_sent_again_the_same(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt],
    misbehaviour: Misbehaviour, error: type[Exception], result: str, part: str,
) -> None:  # fmt: skip
    destination, attempt = bench.destination(await bench.service(misbehaviour), timeout="300ms"), make_attempt()
    with pytest.raises(error, match=part) as caught:
        await destination.deliver(due, attempt)
    assert [exchange.result for exchange in attempt.exchanges] == [result]
    assert getattr(caught.value, "after_s", None) == (7.0 if "503" in part else None)
    assert (await destination.deliver(due, make_attempt())).answer == "HTTP 200 OK"
    assert [one["signal"] for one in bench.received] == [bench.received[0]["signal"]] * 2


async def test_the_second_url_when_the_first_does_not_take_it(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    silent, good = await bench.service(Misbehaviour(fault="silent")), await bench.service()
    destination, attempt = bench.destination(free_port(), silent, good, timeout="300ms"), make_attempt()
    assert (await destination.deliver(due, attempt)).host == f"127.0.0.1:{good}"
    assert [exchange.result for exchange in attempt.exchanges] == ["unreachable", "silent", "delivered"]
    assert destination.hosts_in_use() == f"127.0.0.1:{good}"
    again = make_attempt()
    await destination.deliver(due, again)
    assert [exchange.host for exchange in again.exchanges] == [f"127.0.0.1:{good}"], "what failed is asked last"


async def test_after_a_while_the_first_is_asked_first_again(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt], clock: Any
) -> None:
    first, second = await bench.service(Misbehaviour(Reply(500))), await bench.service()
    destination = bench.destination(first, second)
    assert (await destination.deliver(due, make_attempt())).host == f"127.0.0.1:{second}"
    clock.at += timedelta(seconds=31)
    assert (await destination.deliver(due, make_attempt())).host == f"127.0.0.1:{first}"


async def test_refused_by_all_is_rejected_and_refused_by_one_with_the_other_away_waits(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    refusing = [await bench.service(accounts=("1",)) for _ in range(2)]
    with pytest.raises(Rejected, match="account 4711 is not known"):
        await bench.destination(*refusing).deliver(due, make_attempt())
    with pytest.raises(TryLater, match="refuses the connection"):
        await bench.destination(refusing[0], free_port()).deliver(due, make_attempt())


async def test_nobody_can_be_reached(bench: Services, due: Due, make_attempt: Callable[..., Attempt]) -> None:
    destination = bench.destination(free_port(), free_port())
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(due, make_attempt())
    steps = await destination.check()
    assert [step.ok for step in steps] == [False, False]
    assert "nothing listens on port" in steps[0].detail


async def test_sent_to_all_and_taken_by_one_is_enough(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    one, two = await bench.service(), await bench.service()
    both = await bench.destination(one, two, fan_out="all").deliver(due, make_attempt())
    assert both.host == f"127.0.0.1:{one}, 127.0.0.1:{two}"
    assert len(bench.received) == 2
    attempt = make_attempt()
    receipt = await bench.destination(free_port(), two, fan_out="all").deliver(due, attempt)
    assert receipt.host == f"127.0.0.1:{two}"
    assert sorted(exchange.result for exchange in attempt.exchanges) == ["delivered", "unreachable"]


async def test_a_cancelled_delivery_leaves_nothing_behind(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.service(Misbehaviour(fault="silent")))
    task = asyncio.create_task(destination.deliver(due, make_attempt()))
    async with asyncio.timeout(5):
        while not bench.received:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await destination.deliver(due, make_attempt())).answer == "HTTP 200 OK"


async def test_tls_and_what_is_missing(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt], authority: Any
) -> None:
    port = await bench.service(tls=server_context(*authority.issue("arc.example.net")))
    trusting = {"ca_file": authority.ca, "server_name": "arc.example.net"}
    good = bench.destination(port, scheme="https", tls=trusting)
    assert (await good.deliver(due, make_attempt())).answer == "HTTP 200 OK"
    assert [step.ok for step in await good.check()] == [True, True, True]
    foreign = bench.destination(port, scheme="https", tls={"server_name": "arc.example.net"})
    with pytest.raises(LinkDown, match=r"Example Root.*tls\.ca_file"):
        await foreign.deliver(due, make_attempt())
    assert [step.ok for step in await foreign.check()] == [True, False]


@pytest.mark.parametrize(("heartbeat", "flag"), [("poll", "PollMessageFlag"), ("test-signal", "TestSignalFlag")])
async def test_heartbeats(bench: Services, make_attempt: Callable[..., Attempt], heartbeat: str, flag: str) -> None:
    port = await bench.service()
    destination = bench.destination(port, heartbeat=heartbeat, heartbeat_every="30s")
    assert destination.supervision_s == 30
    assert (await destination.supervise(make_attempt())).answer == "HTTP 200 OK"
    assert (bench.received[0]["problems"], bench.received[0]["signal"][flag]) == ([], "true")
    assert [step.what for step in await destination.check()][-1] == f"{heartbeat} for line 1, account 4711"
    refused = bench.destination(await bench.service(accounts=("1",)), heartbeat=heartbeat)
    with pytest.raises(LinkDown, match="not known"):
        await refused.supervise(make_attempt())
    assert not (await refused.check())[-1].ok
    assert bench.destination(port).supervision_s is None


async def test_what_is_rendered_is_what_is_sent(
    bench: Services, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    port = await bench.service()
    destination, attempt = bench.destination(port, soap_action="http://tempuri.org/Signal"), make_attempt()
    head, body = destination.render(due, ())
    await destination.deliver(due, attempt)
    assert (
        attempt.exchanges[0].sent.replace("<CR><LF>\n", "\r\n").replace("<LF>\n", "\n")
        == (head.data + body.data).decode()
    )
    assert b'SOAPAction: "http://tempuri.org/Signal"\r\n' in head.data
