import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.destinations.bench import Bench
from tests.ports import free_port

from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.webhook.destination import WebhookDestination, build
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.model.event import Event, Photo
from tocsin.standins.webhook import Answer, Expected, WebhookStandin
from tocsin.transports.tls import server_context

KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
TOKEN = "a-very-secret-token"


class Hooks(Bench):
    """A stand-in receiver and destinations that talk to it."""

    async def receiver(self, *answers: Answer, expected: Expected | None = None, **more: Any) -> int:
        standin = WebhookStandin(
            "127.0.0.1:0", self.received.append, self.surroundings.clock, expected or Expected(), answers, **more
        )
        return await self.closes(standin).start()

    def destination(
        self, port: int, scheme: str = "http", host: str = "127.0.0.1", **settings: Any
    ) -> WebhookDestination:
        table = {"name": "hook", "url": f"{scheme}://{host}:{port}/in", **settings}
        return self.closes(build(WebhookSettings.model_validate(table), self.surroundings))


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Hooks]:
    async with Hooks(surroundings) as made:
        yield made


async def test_delivered_with_photos_signed_and_logged_in(
    bench: Hooks, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    port = await bench.receiver(expected=Expected(standard_keys=(KEY,), token=TOKEN))
    destination = bench.destination(port, token=TOKEN, signing="standard-webhooks", signing_keys=[KEY])
    attempt = make_attempt([make_photo(1), make_photo(2, width=64)])
    receipt = await destination.deliver(make_due(make_event(photos=2), "#9999-1"), attempt)
    assert (receipt.host, receipt.answer) == (f"127.0.0.1:{port}", "HTTP 200 OK")
    [message] = bench.received
    assert message["problems"] == []
    assert (message["site"], message["zone"], message["event_name"]) == ("9999", "1", "PersonDetected")
    assert [photo["width"] for photo in message["photos"]] == [32, 64]
    assert [exchange.result for exchange in attempt.exchanges] == ["delivered"]


@pytest.mark.parametrize(
    ("answer", "error", "after_s", "part"),
    [
        (Answer(400, "no such site"), Rejected, None, "no such site"),
        (Answer(401), Rejected, None, "Check token"),
        (Answer(404), Rejected, None, "Check the path in url"),
        (Answer(410), Rejected, None, "closed this address for good"),
        (Answer(422), Rejected, None, "will not take this event"),
        (Answer(302, location="https://elsewhere.example.net/"), TryLater, None, "https://elsewhere.example.net/"),
        (Answer(408), TryLater, None, "408"),
        (Answer(429, retry_after="7"), TryLater, 7.0, "429"),
        (Answer(429, retry_after="99999999"), TryLater, 300.0, "429"),
        (Answer(503, retry_after="Thu, 30 May 2024 19:16:04 GMT"), TryLater, 60.0, "503"),
        (Answer(503, retry_after="Thu, 30 May 2024 19:00:00 GMT"), TryLater, 0.0, "503"),
        (Answer(500, retry_after="soon"), TryLater, None, "500"),
    ],
)
async def test_answers(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt],
    answer: Answer, error: type[Exception], after_s: float | None, part: str,
) -> None:  # fmt: skip
    destination = bench.destination(await bench.receiver(answer))
    attempt = make_attempt()
    with pytest.raises(error, match=part) as caught:
        await destination.deliver(make_due(), attempt)
    assert getattr(caught.value, "after_s", None) == after_s
    assert [exchange.result for exchange in attempt.exchanges] == ["refused" if error is Rejected else "retry"]
    assert len(bench.received) == 1


@pytest.mark.parametrize(
    ("answer", "result", "part"),
    [
        (Answer(fault="close"), "broken", "before it answered"),
        (Answer(200, fault="cut"), "broken", "in the middle of its answer"),
        (Answer(fault="silent"), "silent", "no complete answer within 0.3 s"),
    ],
)
async def test_no_whole_answer_is_no_receipt(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt],
    answer: Answer, result: str, part: str,
) -> None:  # fmt: skip
    destination = bench.destination(await bench.receiver(answer), timeout="300ms")
    attempt = make_attempt()
    with pytest.raises(TryLater, match=part):
        await destination.deliver(make_due(), attempt)
    assert [exchange.result for exchange in attempt.exchanges] == [result]
    receipt = await destination.deliver(make_due(), make_attempt())
    assert receipt.answer == "HTTP 200 OK"
    assert [message.get("duplicate") for message in bench.received] == [False, True]
    assert bench.received[0]["message_id"] == bench.received[1]["message_id"]
    assert bench.received[0]["event_guid"] == bench.received[1]["event_guid"]


async def test_too_large_goes_once_more_without_photos(
    bench: Hooks, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo],
) -> None:  # fmt: skip
    destination = bench.destination(await bench.receiver(Answer(413)))
    attempt = make_attempt([make_photo(1)])
    receipt = await destination.deliver(make_due(make_event(photos=1)), attempt)
    assert receipt.answer == "HTTP 200 OK"
    assert [len(message["photos"]) for message in bench.received] == [1, 0]
    assert [exchange.result for exchange in attempt.exchanges] == ["refused", "delivered"]
    assert "without photos" in attempt.exchanges[1].note


async def test_photos_are_not_even_read_when_they_do_not_go_along(
    bench: Hooks, make_due: Callable[..., Due], make_event: Callable[..., Event], clock: Any
) -> None:
    async def never(seq: int) -> list[Photo]:
        raise AssertionError("photos were read")

    destination = bench.destination(await bench.receiver(), photos="none")
    await destination.deliver(make_due(make_event(photos=3)), Attempt(clock, never, 7))
    assert bench.received[0]["photos"] == []
    assert not WebhookSettings.model_validate({"name": "h", "url": "http://a.example", "photos": "none"}).wants_photos()


async def test_a_closed_port_pauses_the_destination(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(free_port())
    attempt = make_attempt()
    with pytest.raises(LinkDown, match="refuses the connection"):
        await destination.deliver(make_due(), attempt)
    assert [exchange.result for exchange in attempt.exchanges] == ["unreachable"]
    [step] = await destination.check()
    assert (step.ok, "nothing listens on port" in step.detail) == (False, True)


async def test_an_unknown_name_pauses_the_destination(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(80, host="no-such-host.invalid")
    with pytest.raises(LinkDown, match=r"no-such-host\.invalid cannot be found"):
        await destination.deliver(make_due(), make_attempt())


async def test_tls_and_what_is_missing(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt], authority: Any
) -> None:
    certificate = authority.issue("arc.example.net")
    port = await bench.receiver(tls=server_context(*certificate))
    trusting = bench.destination(port, "https", tls={"ca_file": authority.ca, "server_name": "arc.example.net"})
    assert (await trusting.deliver(make_due(), make_attempt())).answer == "HTTP 200 OK"
    assert [step.ok for step in await trusting.check()] == [True, True]
    foreign = bench.destination(port, "https", tls={"server_name": "arc.example.net"})
    with pytest.raises(LinkDown, match=r"Example Root.*not trusted here.*tls\.ca_file"):
        await foreign.deliver(make_due(), make_attempt())
    steps = await foreign.check()
    assert [(step.what, step.ok) for step in steps] == [(f"connect to 127.0.0.1:{port}", True), ("TLS", False)]
    assert "Example Root" in steps[-1].detail
    misnamed = bench.destination(port, "https", tls={"ca_file": authority.ca})
    with pytest.raises(LinkDown, match="does not carry the expected name"):
        await misnamed.deliver(make_due(), make_attempt())
    assert len(bench.received) == 1


async def test_a_pinned_certificate_is_checked_before_anything_is_sent(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt], authority: Any
) -> None:
    certificate = authority.issue("arc.example.net")
    port = await bench.receiver(tls=server_context(*certificate))
    tls = {"ca_file": authority.ca, "server_name": "arc.example.net"}
    with pytest.raises(LinkDown, match=r"^127\.0\.0\.1:\d+ shows another certificate than the pinned one") as caught:
        await bench.destination(port, "https", tls={**tls, "pin": "0" * 64}).deliver(make_due(), make_attempt())
    assert bench.received == []
    seen = str(caught.value).split("its SHA-256 is ")[1][:64]
    await bench.destination(port, "https", tls={**tls, "pin": seen}).deliver(make_due(), make_attempt())
    assert len(bench.received) == 1


async def test_cancelling_leaves_the_destination_usable(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    destination = bench.destination(await bench.receiver(Answer(fault="silent")), concurrency=1)
    task = asyncio.create_task(destination.deliver(make_due(), make_attempt()))
    while not bench.received:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await destination.deliver(make_due(), make_attempt())).answer == "HTTP 200 OK"


async def raw_receiver(answer: bytes) -> tuple[asyncio.Server, int, list[bytes]]:
    """Answers the first request it can read completely, and keeps its exact bytes."""
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        requests.append(head + await reader.readexactly(int(length.split(b":")[1])))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1], requests


async def test_what_is_shown_is_what_was_sent_and_no_secret_is_in_it(
    bench: Hooks, make_due: Callable[..., Due], make_event: Callable[..., Event],
    make_attempt: Callable[..., Attempt], make_photo: Callable[..., Photo], recorded: list[Any],
) -> None:  # fmt: skip
    echoed = f"you said {TOKEN} and hush-hush".encode()
    server, port, requests = await raw_receiver(
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%b" % (len(echoed), echoed)
    )
    destination = bench.destination(
        port, token=TOKEN, query="key=hush-hush", headers={"X-Api-Key": "another-secret"}, signing="hmac-sha256",
        signing_keys=["0123456789abcdef"],
    )  # fmt: skip
    attempt = make_attempt([Photo(1, b"\xff\xd8\xff" + b"x" * 20000, "")])
    due = make_due(make_event(photos=1), "#9999-1")
    with pytest.raises(Rejected) as caught:
        await destination.deliver(due, attempt)
    server.close()
    [exchange], [request] = attempt.exchanges, requests
    head, _, body = request.partition(b"\r\n\r\n")
    rendered = {one.name: one.data for one in destination.render(due, await attempt.photos())}
    assert rendered["body.json"] == body
    shown = head.decode().replace(TOKEN, "***").replace("another-secret", "***").replace("key=hush-hush", "***")
    assert rendered["request-head.txt"] == shown.encode() + b"\r\n\r\n"
    assert exchange.sent.startswith(shown.replace("\r\n", "<CR><LF>\n"))
    assert f"{len(body)} bytes in all, SHA-256 {hashlib.sha256(body).hexdigest()}" in exchange.sent
    assert len(exchange.sent) < 10_000
    assert "you said *** and ***" in exchange.answer
    everything = f"{exchange} {caught.value} {recorded} {destination.hosts_in_use()} {await destination.check()}"
    assert not [secret for secret in (TOKEN, "hush-hush", "another-secret", "0123456789abcdef") if secret in everything]


async def test_basic_login_reaches_the_receiver(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    server, port, requests = await raw_receiver(b"HTTP/1.1 204 No Content\r\n\r\n")
    attempt = make_attempt()
    await bench.destination(port, user="gw", password="pässword").deliver(make_due(), attempt)
    server.close()
    assert b"Authorization: Basic Z3c6cMOkc3N3b3Jk\r\n" in requests[0]
    assert "Authorization: Basic ***" in attempt.exchanges[0].sent


async def test_an_endless_answer_is_cut_off(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    server, port, _ = await raw_receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + b"z" * 200_000)
    attempt = make_attempt()
    receipt = await bench.destination(port).deliver(make_due(), attempt)
    server.close()
    assert receipt.answer == "HTTP 200 OK"
    assert len(attempt.exchanges[0].answer) < 5000


async def test_what_is_no_http_is_said(
    bench: Hooks, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    server, port, _ = await raw_receiver(b"220 mail.example.net ESMTP\r\n")
    with pytest.raises(TryLater, match="did not answer in HTTP"):
        await bench.destination(port).deliver(make_due(), make_attempt())
    server.close()


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"url": "ftp://a.example/"}, "no usable address"),
        ({"url": "https://"}, "no usable address"),
        ({"url": "https://u:p@a.example/"}, "user and password out of the URL"),
        ({"url": "https://a.example/\r\nX: y"}, "plain ASCII"),
        ({"url": "https://a.example/#x"}, "makes no sense"),
        ({"headers": {"Host": "b"}}, "set by the gateway itself"),
        ({"headers": {"X Y": "b"}}, "cannot be the name"),
        ({"headers": {"X-Y": "b\r\nZ: 1"}}, "not plain ASCII"),
        ({"token": "a\nb"}, "not plain ASCII"),
        ({"token": "a", "user": "u", "password": "p"}, "not both"),
        ({"user": "u"}, "belong together"),
        ({"signing": "standard-webhooks"}, "needs signing_keys"),
        ({"signing_keys": [KEY]}, "say how to sign"),
        ({"signing": "hmac-sha256", "signing_keys": ["short"]}, "at least 16"),
        ({"site": "a-b"}, "pattern"),
        ({"photos": "link"}, "inline"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        WebhookSettings.model_validate({"name": "hook", "url": "https://a.example/in", **table})
