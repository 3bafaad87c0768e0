"""Sur-Gard as the real program speaks it: seen on the wire, from missing answers to a killed gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.acceptance.conftest import Program, listening
from tests.ports import free_port

from tocsin.engine.clock import LoopClock
from tocsin.standins.surgard import Host
from tocsin.standins.surgard_receiver import StandInReceiver
from tocsin.transports.tls import server_context

CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[[areas]]
name = "North depot"
[[devices]]
id = "d1"
area = "North depot"
description = "Surgard:#9280-001"
[[destinations]]
name = "arc"
type = "surgard"
LINK
wait = "1s"
heartbeat = "2s"
filter = { kinds = ["motion", "tamper", "burglary"] }
retry = { first = "200ms", longest = "1s" }
"""
SOURCE = """
[[sources]]
name = "receiver"
type = "surgard"
mode = "listen"
listen = "127.0.0.1:RECEIVER"
accounts = [{ account = "1234", area = "North depot" }]
"""
MOTION = "5011 189280E13000001"


@asynccontextmanager
async def software(port: int = 0, **options: Any) -> AsyncIterator[tuple[Host, int]]:
    one = Host(LoopClock(), **options)
    bound = await one.start("127.0.0.1", port)
    try:
        yield one, bound
    finally:
        await one.aclose()


@asynccontextmanager
async def connecting(port: int) -> AsyncIterator[Host]:
    one = Host(LoopClock())
    task = asyncio.create_task(one.connect("127.0.0.1", port))
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await one.aclose()


def connects_to(*ports: int) -> str:
    hosts = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    return CONFIGURATION.replace("LINK", f"hosts = [{hosts}]")


async def event(tocsin: Program, kind: str = "motion") -> str:
    status, answer = await tocsin.post("/api/v1/events", json={"kind": kind, "device_id": "d1"})
    assert status == 202
    event_id: str = answer["id"]
    return event_id


async def delivered(tocsin: Program, event_id: str) -> Any:
    path = f"/api/v1/events/{event_id}"
    found = await tocsin.until(path, lambda one: one["deliveries"][0]["state"] == "delivered")
    return found["deliveries"][0]


async def test_missing_answers_nak_and_reconnection(program: Callable[[str], Program]) -> None:
    async with software() as (arc, port):
        tocsin = program(connects_to(port))
        async with tocsin.running():
            await arc.until(lambda: bool(arc.messages))
            assert arc.messages[0]["kind"] == "heartbeat"
            await delivered(tocsin, await event(tocsin))
            assert (arc.records(), arc.connections) == ([MOTION], 1)
            arc.switches.nak_first = 2
            await delivered(tocsin, await event(tocsin))
            assert [each["answer"] for each in arc.messages if each["kind"] == "contact-id"][1:] == [
                "NAK",
                "NAK",
                "ACK",
            ]
            arc.switches.drop_once = True
            await delivered(tocsin, await event(tocsin))
            assert arc.connections == 2
            heartbeats = sum(each["kind"] == "heartbeat" for each in arc.messages)
            await arc.until(lambda: sum(each["kind"] == "heartbeat" for each in arc.messages) >= heartbeats + 2)
            assert [each["faults"] for each in arc.messages if each["faults"]] == []
            arc.switches.silent = True
            taken = len(arc.messages)
            unanswered = await event(tocsin, "tamper")
            record = "5011 189280E38300001"
            await arc.until(lambda: arc.records().count(record) == 4)
            await arc.until(lambda: arc.messages[-1]["kind"] == "heartbeat")
            assert all(each["kind"] == "heartbeat" or each["record"] == record for each in arc.messages[taken:])
            arc.switches.silent = False
            assert (await delivered(tocsin, unanswered))["receipt"] == "<06>"
            code, shown = await tocsin.call("events", unanswered)
            print(shown)
            assert code == 0
            assert f"{record}<14>" in shown
            assert "sent 4 times" in shown


async def test_killed_in_the_middle_it_goes_on_at_the_oldest(program: Callable[[str], Program]) -> None:
    async with software() as (arc, port):
        tocsin = program(connects_to(port))
        async with tocsin.running() as process:
            await delivered(tocsin, await event(tocsin))
            arc.switches.silent = True
            kinds = ["tamper", "motion", "tamper"]
            events = [await event(tocsin, kind) for kind in kinds]
            await arc.until(lambda: len(arc.records()) >= 2)
            process.kill()
            await process.wait()
        seen, arc.switches.silent = len(arc.messages), False
        async with tocsin.running():
            for event_id in events:
                await delivered(tocsin, event_id)
            after = arc.messages[seen:]
            assert after[0]["kind"] == "heartbeat", "nothing goes before a heartbeat was acknowledged"
            records = [each["record"] for each in after if each["kind"] != "heartbeat"]
            tamper = "5011 189280E38300001"
            assert records == [tamper, MOTION, tamper], "the oldest first, each once"


async def test_the_second_host_and_back(program: Callable[[str], Program]) -> None:
    first_port = free_port()
    async with software() as (second, second_port):
        tocsin = program(connects_to(first_port, second_port))
        async with tocsin.running():
            assert (await delivered(tocsin, await event(tocsin)))["host"] == f"127.0.0.1:{second_port}"
            async with software(first_port) as (first, _):
                second.switches.drop_once = True
                assert (await delivered(tocsin, await event(tocsin)))["host"] == f"127.0.0.1:{first_port}"
                assert first.records() == [MOTION]


async def test_the_station_connects_to_us(program: Callable[[str], Program]) -> None:
    port = free_port()
    tocsin = program(CONFIGURATION.replace("LINK", f'mode = "listen"\nlisten = "127.0.0.1:{port}"'))
    async with tocsin.running():
        waiting = await event(tocsin)
        async with connecting(port) as arc:
            await delivered(tocsin, waiting)
            arc.drop_connections()
            await delivered(tocsin, await event(tocsin))
            assert (arc.records(), arc.connections) == ([MOTION, MOTION], 2)
        code, shown = await tocsin.call("destinations")
        assert code == 0, shown


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls(program: Callable[[str], Program], tmp_path: Path, trusted: bool) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair = str(tmp_path / "arc.pem")
    issued = (authority if trusted else other).issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(pair)
    async with software(tls=server_context(pair, pair)) as (arc, port):
        tocsin = program(
            connects_to(port).replace("[[destinations]]", '[[destinations]]\ntls = { ca_file = "ca.pem" }')
        )
        if not trusted:
            code, shown = await tocsin.call("check", "--connect")
            assert (code, "which is not trusted here" in shown) == (1, True), shown
            return
        async with tocsin.running():
            await delivered(tocsin, await event(tocsin))
            assert arc.records() == [MOTION]


async def test_a_receivers_records_reach_the_station_and_the_kill_loses_none(program: Callable[[str], Program]) -> None:
    receiver_port = free_port()
    async with software() as (arc, port):
        text = connects_to(port).replace("[[destinations]]", SOURCE + "[[destinations]]")
        tocsin = program(text.replace("RECEIVER", str(receiver_port)))
        receiver = StandInReceiver(wait_s=4.0)
        receiver.connects_to("127.0.0.1", receiver_port)
        try:
            async with tocsin.running() as process:
                await listening(receiver_port)
                assert (await receiver.send(b"5011 181234E13001001")).outcome == "acknowledged"
                await arc.until(lambda: len(arc.records()) == 1)
                arc.switches.silent = True
                assert (await receiver.send(b"5011 181234E13001002")).outcome == "acknowledged"
                assert (await receiver.send(b"5011 181234R13001002")).outcome == "acknowledged"
                process.kill()
                await process.wait()
            arc.switches.silent = False
            async with tocsin.running():
                await arc.until(lambda: arc.records()[-1:] == ["5011 181234R13001002"])
                assert list(dict.fromkeys(arc.records())) == [
                    "5011 181234E13001001",
                    "5011 181234E13001002",
                    "5011 181234R13001002",
                ]
        finally:
            await receiver.aclose()
