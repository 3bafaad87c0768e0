"""The same three over real sockets; what the shared part does is proved with the Stages service."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.destinations.bench import Bench

from tocsin.app.loading import load
from tocsin.destinations.posted import PostedStation
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown, Rejected, TryLater
from tocsin.model.delivery import Due
from tocsin.standins.posted import Demands, Kind, PostedStandin
from tocsin.standins.web_service import Misbehaviour, Reply

SECRET = "sesame-of-the-gateway"
STATIONS: list[tuple[str, Kind, Demands, dict[str, Any], str]] = [
    ("patriot/api", "patriot-api", Demands("gw", SECRET), {"user": "gw", "password": SECRET}, "#0011|01-3"),
    ("sureview/http", "sureview-http", Demands(key=SECRET), {"api_key": SECRET}, "a1b2c3d4e5"),
    ("sentinel/xml", "sentinel-xml", Demands(), {}, "#12345|1-3"),
]
every_station = pytest.mark.parametrize(("name", "kind", "demands", "login", "address"), STATIONS)


class Stations(Bench):
    async def station(self, kind: Kind, demands: Demands, *scripted: Misbehaviour) -> int:
        standin = PostedStandin(kind, "127.0.0.1:0", self.received.append, self.surroundings.clock, demands)
        return await self.serve(standin.web, *scripted)

    def destination(self, name: str, port: int, **changes: Any) -> PostedStation:
        kind = DESTINATION_TYPES[name]
        table = {"name": "arc", "urls": [f"http://127.0.0.1:{port}/in"], "timeout": "300ms", **changes}
        made = kind.build(kind.settings.model_validate(table), self.surroundings)
        assert isinstance(made, PostedStation)
        return self.closes(made)


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[Stations]:
    async with Stations(surroundings) as made:
        yield made


@every_station
async def test_delivered_and_no_secret_in_the_trace(
    bench: Stations, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt],
    name: str, kind: Kind, demands: Demands, login: dict[str, Any], address: str,
) -> None:  # fmt: skip
    destination = bench.destination(name, await bench.station(kind, demands), **login)
    attempt, due = make_attempt(), make_due(address=address)
    assert (await destination.deliver(due, attempt)).answer == "HTTP 200 OK"
    assert (bench.received[0]["problems"], [one.result for one in attempt.exchanges]) == ([], ["delivered"])
    everything = f"{attempt.exchanges} {destination.render(due, ())} {await destination.check()}"
    assert not [form for form in (SECRET, "c2VzYW1l", "Z3c6") if form in everything]
    assert destination.supervision_s is None


@every_station
@pytest.mark.parametrize(
    ("misbehaviour", "error"),
    [
        (Misbehaviour(Reply(401)), LinkDown),
        (Misbehaviour(Reply(403)), Rejected),
        (Misbehaviour(Reply(422)), Rejected),
        (Misbehaviour(Reply(429)), TryLater),
        (Misbehaviour(Reply(503)), TryLater),
        (Misbehaviour(fault="cut"), TryLater),
        (Misbehaviour(fault="silent"), TryLater),
    ],
)
async def test_no_receipt_and_then_sent_again(
    bench: Stations, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt],
    name: str, kind: Kind, demands: Demands, login: dict[str, Any], address: str,
    misbehaviour: Misbehaviour, error: type[Exception],
) -> None:  # fmt: skip
    destination = bench.destination(name, await bench.station(kind, demands, misbehaviour), **login)
    with pytest.raises(error):
        await destination.deliver(make_due(address=address), make_attempt())
    await destination.deliver(make_due(address=address), make_attempt())
    assert bench.received[0]["said"] == bench.received[1]["said"]


async def test_a_wrong_login_pauses_and_an_unknown_account_is_set_aside(
    bench: Stations, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    wrong = bench.destination(
        "patriot/api", await bench.station("patriot-api", Demands("gw", "x")), user="gw", password="y"
    )
    with pytest.raises(LinkDown, match="Check user and password"):
        await wrong.deliver(make_due(address="#0011"), make_attempt())
    port = await bench.station("sentinel-xml", Demands(accounts=("7",)))
    with pytest.raises(Rejected, match="12345 is not known"):
        await bench.destination("sentinel/xml", port).deliver(make_due(address="#12345"), make_attempt())


async def test_an_empty_answer_is_no_receipt_where_the_site_says_so(
    bench: Stations, make_due: Callable[..., Due], make_attempt: Callable[..., Attempt]
) -> None:
    port = await bench.station("sentinel-xml", Demands(), Misbehaviour(Reply(200)))
    with pytest.raises(TryLater, match="without any content"):
        await bench.destination("sentinel/xml", port, ack="content").deliver(make_due(address="#1"), make_attempt())


def test_the_mode_decides_which_table_an_entry_is(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    head = '[gateway]\nname = "gw"\n[[destinations]]\nname = "arc"\ntype = "sureview"\nmode = "http"\n'
    file.write_text(head + 'api_key = "k"\n')
    loaded = load(file)
    assert (loaded.settings is not None, loaded.problems) == (True, ())
    file.write_text(head + 'api_kye = "k"\n')
    assert "api_kye" in str(load(file).problems)


@pytest.mark.parametrize(("name", "known"), [("patriot", "api, email"), ("manitou", "email, tcp")])
def test_a_mode_there_is_not_names_those_there_are(tmp_path: Path, name: str, known: str) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_text(f'[gateway]\nname = "gw"\n[[destinations]]\nname = "arc"\ntype = "{name}"\nmode = "xyz"\n')
    [problem] = load(file).problems
    assert "there is no such mode" in str(problem)
    assert known in str(problem)
