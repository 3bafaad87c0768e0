"""Messages over real sockets: logins, receipts, and who waits when there is none."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.destinations.bench import Bench
from tests.ports import free_port

from tocsin.destinations.osap.destination import OsapDestination, build
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.event import Event, Photo
from tocsin.standins.osap import Demands, OsapStandin, error
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.transports.tls import server_context

KEY = "open-sesame-key"
SECRET = "cl!ent secret+of the gw"
CLIENT = {"client_id": "gw", "client_secret": SECRET}


class Servers(Bench):
    """Stand-in servers and destinations that talk to them."""

    async def server(self, *scripted: Misbehaviour, tls: Any = None, **demands: Any) -> tuple[OsapStandin, int]:
        standin = OsapStandin("127.0.0.1:0", self.received.append, self.surroundings.clock, Demands(**demands), tls)
        return standin, await self.serve(standin.web, *scripted)

    def destination(self, *ports: int, scheme: str = "http", oauth: int = 0, **changes: Any) -> OsapDestination:
        table: dict[str, Any] = {
            "name": "arc",
            "urls": [f"{scheme}://127.0.0.1:{port}" for port in ports],
            "site": "12345",
        }
        token_url = f"http://127.0.0.1:{oauth}/token"
        login = {"oauth": {"token_url": token_url, **CLIENT, **changes.pop("login", {})}} if oauth else {"api_key": KEY}
        return self.closes(build(OsapSettings.model_validate({**table, **login, **changes}), self.surroundings))

    def requests(self) -> list[str]:
        return [one["request"].split("/")[-1] for one in self.received]


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Servers]:
    async with Servers(surroundings) as made:
        yield made


@pytest.fixture
def due(make_due: Callable[..., Due], make_event: Callable[..., Event]) -> Due:
    return make_due(make_event(), "#12345|01-3")


async def test_delivered_with_key_and_pictures(
    bench: Servers, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    _, port = await bench.server(api_key=KEY, sites=("12345",))
    destination, attempt = bench.destination(port), make_attempt([make_photo(1), make_photo(2, width=64)])
    due = make_due(make_event(photos=2), "#12345|01-3")
    receipt = await destination.deliver(due, attempt)
    [one] = bench.received
    assert (receipt.host, receipt.answer) == (f"127.0.0.1:{port}", f"HTTP 202 Accepted, id {one['id']}")
    assert (one["problems"], one["event"]["code"], one["correlation"]["sensor_id"]) == ([], "VDS-1100", "3")
    assert [picture["width"] for picture in one["pictures"]] == [32, 64]
    [exchange] = attempt.exchanges
    assert exchange.result == "delivered"
    assert "X-API-Key: ***" in exchange.sent
    assert "bytes in base64]" in exchange.sent
    everything = f"{attempt.exchanges} {destination.render(due, [make_photo(1)])} {await destination.check()}"
    assert KEY not in everything


async def test_one_token_is_fetched_for_all_and_kept(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt], recorded: list[Any]
) -> None:
    standin, port = await bench.server(**CLIENT)
    destination = bench.destination(port, oauth=port)
    attempts = [make_attempt() for _ in range(4)]
    await asyncio.gather(*(destination.deliver(due, attempt) for attempt in attempts))
    assert standin.tokens_given == 1
    assert bench.requests() == ["token", "events", "events", "events", "events"]
    everything = f"{[attempt.exchanges for attempt in attempts]} {recorded} {destination.render(due, ())}"
    assert not [secret for secret in (SECRET, "cl%21ent", "cl!ent", "token-1", "Z3c6") if secret in everything]
    assert "[not kept: it is a secret]" in everything
    assert "Authorization: Bearer ***" in everything


async def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt], clock: Any
) -> None:
    standin, port = await bench.server(**CLIENT, token_life_s=100)
    destination = bench.destination(port, oauth=port, login={"send": "body"})
    await destination.deliver(due, make_attempt())
    clock.at += timedelta(seconds=71)
    await destination.deliver(due, make_attempt())
    assert standin.tokens_given == 2
    standin.revoke()
    attempt = make_attempt()
    await destination.deliver(due, attempt)
    assert standin.tokens_given == 3
    assert [exchange.result for exchange in attempt.exchanges] == ["unreachable", "delivered", "delivered"]
    assert "with a new token" in attempt.exchanges[-1].note
    assert SECRET not in f"{attempt.exchanges}"


async def test_a_login_that_is_refused_pauses_the_destination(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    _, port = await bench.server(api_key="another key")
    with pytest.raises(LinkDown, match="Check api_key"):
        await bench.destination(port).deliver(due, make_attempt())
    _, strange = await bench.server(client_id="gw", client_secret="another")
    with pytest.raises(LinkDown, match=r"no token for the login: .*does not accept oauth\.client_id"):
        await bench.destination(strange, oauth=strange).deliver(due, make_attempt())
    _, deaf = await bench.server(api_key="token is never taken")
    _, giver = await bench.server(**CLIENT)
    with pytest.raises(LinkDown, match="does not accept the login"):
        await bench.destination(deaf, oauth=giver).deliver(due, make_attempt())
    with pytest.raises(LinkDown, match=r"no token for the login: .*refuses the connection"):
        await bench.destination(giver, oauth=free_port()).deliver(due, make_attempt())


async def test_a_token_server_that_answers_nonsense(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    nonsense = Misbehaviour(Reply(200, b"access_token=secret-in-a-form"))
    _, port = await bench.server(nonsense, **CLIENT)
    attempt = make_attempt()
    with pytest.raises(LinkDown, match="without a token"):
        await bench.destination(port, oauth=port).deliver(due, attempt)
    assert "secret-in-a-form" not in f"{attempt.exchanges}"


@pytest.mark.parametrize(
    ("misbehaviour", "wrong", "result", "part"),
    [
        (Misbehaviour(error(400, "bad_request", "no such code")), Rejected, "refused", "bad_request: no such code"),
        (Misbehaviour(Reply(202, b'{"accepted":false}')), Rejected, "refused", "accepted: false"),
        (Misbehaviour(Reply(200, b"<html>")), TryLater, "retry", "where OSAP answers 202"),
        (Misbehaviour(Reply(429, headers=(("Retry-After", "9"),))), TryLater, "retry", "429"),
        (Misbehaviour(error(500, "internal", "disk")), TryLater, "retry", "internal: disk"),
        (Misbehaviour(error(401, "unauthorized", "")), LinkDown, "unreachable", "Check api_key"),
        (Misbehaviour(fault="close"), TryLater, "broken", "before it answered"),
        (Misbehaviour(fault="cut"), TryLater, "broken", "in the middle of its answer"),
        (Misbehaviour(fault="silent"), TryLater, "silent", "no complete answer within 0.3 s"),
    ],
)
async def test_no_receipt_and_then_sent_again_under_the_same_id(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt],
    misbehaviour: Misbehaviour, wrong: type[Exception], result: str, part: str,
) -> None:  # fmt: skip
    _, port = await bench.server(misbehaviour, api_key=KEY)
    destination, attempt = bench.destination(port, timeout="300ms"), make_attempt()
    with pytest.raises(wrong, match=part) as caught:
        await destination.deliver(due, attempt)
    assert [exchange.result for exchange in attempt.exchanges] == [result]
    assert getattr(caught.value, "after_s", None) == (9.0 if part == "429" else None)
    await destination.deliver(due, make_attempt())
    assert [one["repeat"] for one in bench.received] == [False, True]


async def test_too_large_goes_once_more_without_pictures(
    bench: Servers, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    _, port = await bench.server(Misbehaviour(Reply(413)), api_key=KEY)
    attempt = make_attempt([make_photo(1)])
    await bench.destination(port).deliver(make_due(make_event(photos=1), "#12345"), attempt)
    assert [len(one["pictures"]) for one in bench.received] == [1, 0]
    assert "without pictures" in attempt.exchanges[1].note
    _, narrow = await bench.server(*[Misbehaviour(Reply(413))] * 2, api_key=KEY)
    with pytest.raises(Rejected, match="too large"):
        await bench.destination(narrow).deliver(make_due(make_event(photos=1), "#12345"), make_attempt([make_photo(1)]))


async def test_the_second_server(bench: Servers, due: Due, make_attempt: Callable[..., Attempt]) -> None:
    _, good = await bench.server(api_key=KEY)
    destination, attempt = bench.destination(free_port(), good), make_attempt()
    assert (await destination.deliver(due, attempt)).host == f"127.0.0.1:{good}"
    assert [exchange.result for exchange in attempt.exchanges] == ["unreachable", "delivered"]
    with pytest.raises(LinkDown):
        await bench.destination(free_port()).deliver(due, make_attempt())


async def test_an_unknown_site_is_set_aside(bench: Servers, due: Due, make_attempt: Callable[..., Attempt]) -> None:
    _, port = await bench.server(api_key=KEY, sites=("7",))
    with pytest.raises(Rejected, match="the site is not known"):
        await bench.destination(port).deliver(due, make_attempt())


async def test_health_supervises(bench: Servers, make_attempt: Callable[..., Attempt]) -> None:
    _, port = await bench.server(api_key=KEY)
    destination, attempt = bench.destination(free_port(), port), make_attempt()
    assert destination.supervision_s == 60
    assert (await destination.supervise(attempt)).host == f"127.0.0.1:{port}"
    assert bench.requests() == ["health"]
    _, ill = await bench.server(Misbehaviour(Reply(500)))
    with pytest.raises(LinkDown, match="answered 500"):
        await bench.destination(ill).supervise(make_attempt())
    assert bench.destination(port, health_every="off").supervision_s is None


@pytest.mark.parametrize(
    ("demands", "changes", "ok", "part"),
    [
        ({"api_key": KEY}, {}, True, "accepted"),
        ({"api_key": "other key"}, {}, False, "401"),
        (CLIENT, {"oauth": True}, True, "accepted"),
        ({"client_id": "gw", "client_secret": "other"}, {"oauth": True}, False, "does not accept oauth.client_id"),
    ],
)
async def test_check_tries_the_login_without_an_event(
    bench: Servers, demands: dict[str, Any], changes: dict[str, Any], ok: bool, part: str
) -> None:
    _, port = await bench.server(**demands)
    destination = bench.destination(port, oauth=port if changes else 0)
    *before, login = await destination.check()
    assert all(step.ok for step in before)
    assert (login.ok, part in login.detail) == (ok, True), login
    assert not [one for one in bench.received if "id" in one], "no message was sent"


async def test_a_login_by_certificate(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt], authority: Any
) -> None:
    pair = authority.issue("gw.example.net")
    _, port = await bench.server(tls=server_context(*authority.issue("arc.example.net"), authority.ca))
    trusting = {"ca_file": authority.ca, "server_name": "arc.example.net"}
    mutual = bench.destination(port, scheme="https", api_key=None, tls={**trusting, "cert": pair[0], "key": pair[1]})
    assert (await mutual.deliver(due, make_attempt())).answer.startswith("HTTP 202")
    assert [step.ok for step in await mutual.check()] == [True] * 4
    with pytest.raises((LinkDown, TryLater)):
        await bench.destination(port, scheme="https", tls=trusting).deliver(due, make_attempt())
    foreign = bench.destination(port, scheme="https", tls={"server_name": "arc.example.net"})
    with pytest.raises(LinkDown, match=r"Example Root.*tls\.ca_file"):
        await foreign.deliver(due, make_attempt())


async def test_a_cancelled_token_request_holds_up_nobody(
    bench: Servers, due: Due, make_attempt: Callable[..., Attempt]
) -> None:
    _, port = await bench.server(Misbehaviour(fault="silent"), **CLIENT)
    destination = bench.destination(port, oauth=port)
    task = asyncio.create_task(destination.deliver(due, make_attempt()))
    async with asyncio.timeout(5):
        while not bench.received:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await destination.deliver(due, make_attempt())).answer.startswith("HTTP 202")
