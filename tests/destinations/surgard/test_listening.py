"""Listening: the station connects to us, reconnects, and nobody else may."""

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from tests.destinations.surgard.conftest import Bench, Software

from tocsin.destinations.surgard import destination as module
from tocsin.destinations.surgard.arrivals import Arrivals
from tocsin.destinations.surgard.destination import SurgardDestination
from tocsin.engine.contracts import LinkDown
from tocsin.engine.link import ANNOUNCE_AFTER
from tocsin.telemetry.occurrences import Notice

HERE = {"mode": "listen", "listen": "127.0.0.1:0"}


async def listening(destination: SurgardDestination) -> int:
    """Its port, once it listens: that is from the first use on."""
    assert isinstance(destination.lines, Arrivals)
    while not destination.lines.port:
        await asyncio.sleep(0)
    return destination.lines.port


async def connected(bench: Bench, station: Software, **changes: Any) -> tuple[SurgardDestination, int, Any]:
    destination = bench.destination(**(HERE | changes))
    proving = asyncio.create_task(destination.supervise(bench.attempt()))
    port = await listening(destination)
    arc = station.connecting(port)
    await proving
    return destination, port, arc


async def test_the_station_connects_and_gets_heartbeat_and_events(bench: Bench, station: Software) -> None:
    destination, _, arc = await connected(bench, station)
    receipt = await destination.deliver(bench.due(destination), bench.attempt())
    assert receipt.host.startswith("127.0.0.1:")
    assert [each["kind"] for each in arc.messages] == ["heartbeat", "contact-id"]
    assert arc.connections == 1
    assert destination.supervision_s == 30.0
    assert bench.destination(**HERE, heartbeat="off").supervision_s == 30.0, "listening begins with it"


async def test_nobody_connects(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ARRIVAL_WAIT_S", 0.05)
    destination = bench.destination(**HERE)
    with pytest.raises(LinkDown, match=r"no station is connected to 127\.0\.0\.1:0"):
        await destination.deliver(bench.due(destination), bench.attempt())
    assert destination.hosts_in_use() == "listening on 127.0.0.1:0"


async def test_once_it_is_known_that_nobody_is_there_supervision_waits_for_the_station(
    bench: Bench, station: Software, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ARRIVAL_WAIT_S", 0.05)
    destination = bench.destination(**HERE)
    for _ in range(ANNOUNCE_AFTER):
        with pytest.raises(LinkDown):
            await destination.supervise(bench.attempt())
    waiting = asyncio.create_task(destination.supervise(bench.attempt()))
    arc = station.connecting(await listening(destination))
    assert (await waiting).answer == "<06>"
    assert [each["kind"] for each in arc.messages] == ["heartbeat"]


async def test_a_station_that_reconnects_is_served_on_its_new_connection(bench: Bench, station: Software) -> None:
    destination, _, arc = await connected(bench, station)
    arc.drop_connections()
    await destination.deliver(bench.due(destination), bench.attempt())
    assert [each["kind"] for each in arc.messages] == ["heartbeat", "heartbeat", "contact-id"]
    assert arc.connections == 2


async def test_a_half_dead_connection_gives_way_to_the_same_hosts_new_one(bench: Bench, station: Software) -> None:
    destination, port, first = await connected(bench, station)
    first.switches.silent = True
    sending = asyncio.create_task(destination.deliver(bench.due(destination), bench.attempt()))
    await first.until(lambda: len(first.records()) == 1)
    station.tasks[0].cancel()
    second = station.connecting(port)
    await sending
    assert second.records() == first.records()


async def test_no_acknowledgement_means_the_next_connection(bench: Bench, station: Software) -> None:
    destination, _, arc = await connected(bench, station, wait=0.1)
    arc.switches.silent = True
    with pytest.raises(LinkDown, match="did not acknowledge"):
        await destination.deliver(bench.due(destination), bench.attempt())
    arc.switches.silent = False
    await destination.deliver(bench.due(destination), bench.attempt())
    assert arc.connections == 2


async def test_strangers_are_turned_away_and_told_of_once(bench: Bench, station: Software) -> None:
    destination = bench.destination(**(HERE | {"allowed": ["192.0.2.0/24"]}))
    proving = asyncio.create_task(destination.supervise(bench.attempt()))
    port = await listening(destination)
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    proving.cancel()
    assert [each.text for each in bench.occurrences if isinstance(each, Notice)] == [
        "127.0.0.1 tried to connect and is not in allowed; told once"
    ]


async def test_tls_with_required_client_certificates(bench: Bench, station: Software, tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("gw.example.net", "arc.example.net"):
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    ours, theirs, ca = (str(tmp_path / name) for name in ("gw.example.net.pem", "arc.example.net.pem", "ca.pem"))
    destination = bench.destination(**HERE, tls={"cert": ours, "key": ours, "client_ca": ca})
    proving = asyncio.create_task(destination.supervise(bench.attempt()))
    port = await listening(destination)
    anonymous, known = ssl.create_default_context(cafile=ca), ssl.create_default_context(cafile=ca)
    known.load_cert_chain(theirs)
    nobody = station.connecting(port, "gw.example.net", tls=anonymous)
    arc = station.connecting(port, "gw.example.net", tls=known)
    await proving
    await destination.deliver(bench.due(destination), bench.attempt())
    assert [each["kind"] for each in arc.messages] == ["heartbeat", "contact-id"]
    assert nobody.messages == []


async def test_a_port_that_is_taken(bench: Bench) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    taken = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    destination = bench.destination(mode="listen", listen=taken)
    with pytest.raises(LinkDown, match=f"cannot listen on {taken}: Address already in use"):
        await destination.supervise(bench.attempt())
    (step,) = await destination.check()
    assert (step.ok, "tocsin destinations" in step.hint) == (False, True)
    server.close()


async def test_check_waits_for_the_station(bench: Bench, station: Software, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = bench.destination(**HERE)
    checking = asyncio.create_task(destination.check())
    arc = station.connecting(await listening(destination))
    assert [step.ok for step in await checking] == [True, True]
    assert arc.records() == []
    monkeypatch.setattr(module, "CHECK_WAIT_S", 0.05)
    (nobody,) = await bench.destination(**HERE).check()
    assert (nobody.ok, "no station is connected" in nobody.detail) == (False, True)
