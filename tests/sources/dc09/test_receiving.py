"""What panels are told, when, and what becomes of their messages."""

import asyncio
import contextlib
import random
import socket
from typing import Any

import pytest

from tocsin.model.event import Address, Code
from tocsin.protocols.dc09.frames import FrameReader, RawFrame, wrap
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.standins.panel import Sent
from tocsin.telemetry.occurrences import EventRefused, FrameDropped, TaskFailed

KEY = "30313233343536373839414243444546"
KEYED = {"account": "6F01", "key": {"hex": KEY}}
E1 = b'\nFB0A0039"SIA-DCS"0001L0#6F01[#6F01|Nri2/BA17]_08:15:30,03-04-2026\r'
E2 = b'\nE2600012"ACK"0001L0#6F01[]\r'
NULL = b'\nDEE80027"NULL"0000L0#6F01[]_08:15:30,03-04-2026\r'
NULL_ACK = b'\n27310012"ACK"0000L0#6F01[]\r'


def frames(data: bytes) -> list[bytes]:
    return [each.body for each in FrameReader().feed(data) if isinstance(each, RawFrame)]


def alarm(number: int, zone: int = 17, account: str = "6F01") -> bytes:
    return wrap(f'"SIA-DCS"{number:04d}L0#{account}[#{account}|Nri2/BA{zone}]'.encode())


async def test_an_event_is_kept_and_acknowledged(receiving: Any) -> None:
    gw = await receiving(accounts=[{"account": "6F01", "area": "North depot"}])
    assert await gw.raw(E1, 1) == E2
    (event,) = gw.intake.events
    assert (event.kind, event.state, event.source) == ("burglary", "new", "panels")
    assert event.address == Address("6F01", "2", "17", None, "0")
    assert event.code == Code(sia="BA", number="17")
    assert event.place.area == "North depot"
    assert event.id == ""
    assert gw.heard == [("panels", "6F01")]


async def test_nothing_is_acknowledged_before_it_is_on_disk(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.gate.clear()
    asking = asyncio.create_task(gw.raw(E1, 1))
    while not gw.intake.batches:
        await asyncio.sleep(0)
    assert not asking.done()
    gw.intake.gate.set()
    assert await asking == E2


@pytest.mark.parametrize("form", ["SIA-DCS", "ADM-CID"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("key", [None, bytes.fromhex(KEY), bytes.fromhex(KEY * 2)], ids=["plain", "128", "256"])
async def test_formats_transports_and_keys(receiving: Any, form: Any, transport: Any, key: Any) -> None:
    account = {"account": "6F01"} | ({"key": {"hex": key.hex()}} if key else {})
    gw = await receiving(accounts=[account])
    panel = gw.panel("6F01", format=form, transport=transport, key=key)
    assert {each.answer for each in await panel.burglaries(3)} == {"ACK"}
    assert (await panel.poll()).answer == "ACK"
    assert [event.kind for event in gw.intake.events] == ["burglary"] * 3
    assert len(gw.heard) == 4


async def test_frames_of_one_segment_are_kept_together_and_acknowledged_in_order(receiving: Any) -> None:
    gw = await receiving()
    answers = frames(await gw.raw(b"".join(alarm(number) for number in range(1, 8)), 7))
    assert answers == [f'"ACK"{number:04d}L0#6F01[]'.encode() for number in range(1, 8)]
    assert gw.intake.batches == [7]


async def test_what_comes_while_the_disk_is_busy_is_the_next_batch(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.gate.clear()
    _, writer = await asyncio.open_connection("127.0.0.1", gw.port)
    writer.write(alarm(1))
    while not gw.intake.batches:
        await asyncio.sleep(0)
    writer.write(b"".join(alarm(number) for number in range(2, 6)))
    while len(gw.heard) < 5:
        await asyncio.sleep(0)
    gw.intake.gate.set()
    while len(gw.intake.events) < 5:
        await asyncio.sleep(0)
    assert gw.intake.batches == [1, 4]
    writer.close()
    await writer.wait_closed()


async def test_a_link_test_does_not_wait_for_the_disk(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.gate.clear()
    assert await gw.raw(alarm(1) + NULL, 1) == NULL_ACK
    assert gw.intake.events == []


async def test_byte_by_byte(receiving: Any) -> None:
    gw = await receiving()
    reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in E1:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert await reader.readuntil(b"\r") == E2
    writer.close()
    await writer.wait_closed()


async def test_a_panel_that_half_closes_still_gets_its_reply(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.gate.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
    writer.write(E1)
    writer.write_eof()
    while not gw.intake.batches:
        await asyncio.sleep(0)
    gw.intake.gate.set()
    assert await reader.read() == E2
    writer.close()
    await writer.wait_closed()


async def test_while_the_intake_is_closed_there_is_no_reply_and_the_panel_sends_again(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.closed = True
    panel = gw.panel("6F01", reply_timeout_s=0.1, pause_s=0.01)
    sending = asyncio.create_task(panel.event("#6F01|NBA1"))
    while len(gw.heard) < 2:
        await asyncio.sleep(0.01)
    gw.intake.closed = False
    sent = await sending
    assert (sent.answer, sent.seq) == ("ACK", "0001")
    assert sent.tries >= 3
    assert len(gw.intake.events) == 1


async def test_a_defect_behind_the_source_is_told_and_not_acknowledged(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.broken = True
    panel = gw.panel("6F01", reply_timeout_s=0.5, most_tries=1)
    assert (await panel.event("#6F01|NBA1")).answer == "none"
    (failed,) = gw.recorded(TaskFailed)
    assert "RuntimeError: a defect" in failed.error
    gw.intake.broken = False
    assert (await panel.event("#6F01|NBA2")).answer == "ACK"


async def test_a_refused_event_is_told_with_duh_and_the_others_are_kept(receiving: Any) -> None:
    gw = await receiving(unknown_accounts="accept", accounts=[])
    gw.intake.refusing = "1111"
    answers = frames(await gw.raw(alarm(1) + alarm(2, account="1111") + alarm(3), 3))
    assert answers == [b'"ACK"0001L0#6F01[]', b'"DUH"0002L0#1111[]', b'"ACK"0003L0#6F01[]']
    assert len(gw.intake.events) == 2


async def test_a_repeat_is_acknowledged_and_kept_once(receiving: Any) -> None:
    gw = await receiving()
    assert await gw.raw(E1, 1) == await gw.raw(E1, 1) == E2
    assert len(gw.intake.events) == 1
    assert [each.reason for each in gw.recorded(FrameDropped)] == ["repeat"]


async def test_two_events_in_one_message_are_two_events_and_repeat_together(receiving: Any) -> None:
    gw = await receiving()
    both = wrap(b'"SIA-DCS"0006L0#6F01[#6F01|Nti08:15/ri2/BA17^North gate^/BV17]_08:15:30,03-04-2026')
    for _ in range(2):
        assert frames(await gw.raw(both, 1)) == [b'"ACK"0006L0#6F01[]']
    assert [event.code.sia for event in gw.intake.events] == ["BA", "BV"]


async def test_an_unknown_account_is_told_duh(receiving: Any) -> None:
    gw = await receiving()
    assert frames(await gw.raw(alarm(1, account="9999"), 1)) == [b'"DUH"0001L0#9999[]']
    assert [each.reason for each in gw.recorded(EventRefused)] == ["unknown_account"]
    assert (gw.intake.events, gw.heard) == ([], [])


async def test_or_accepted_and_marked(receiving: Any) -> None:
    gw = await receiving(unknown_accounts="accept")
    assert frames(await gw.raw(alarm(1, account="9999"), 1)) == [b'"ACK"0001L0#9999[]']
    assert "unknown_account" in gw.intake.events[0].flags


async def test_plain_for_an_account_with_a_key_is_refused(receiving: Any) -> None:
    gw = await receiving(accounts=[KEYED])
    assert frames(await gw.raw(alarm(1), 1)) == [b'"DUH"0001L0#6F01[]']
    gw = await receiving(accounts=[KEYED | {"allow_plain": True}])
    assert frames(await gw.raw(alarm(1), 1)) == [b'"ACK"0001L0#6F01[]']


async def test_a_wrong_key_is_refused_and_no_key_is_told(receiving: Any) -> None:
    gw = await receiving(accounts=[KEYED])
    panel = gw.panel("6F01", key=b"another key 1234", most_tries=1)
    assert (await panel.event("#6F01|NBA1")).answer == "DUH"
    assert gw.intake.events == []
    told = repr((gw.occurrences, gw.source.__dict__, gw.source.settings))
    assert KEY not in told
    assert bytes.fromhex(KEY).decode() not in told


async def test_a_clock_outside_the_window_is_corrected_with_nak(receiving: Any) -> None:
    gw = await receiving(accounts=[KEYED | {"account": "6F01"}])
    panel = gw.panel("6F01", key=bytes.fromhex(KEY))
    panel._clock = _Late(panel._clock)
    assert await panel.event("#6F01|NBA1") == Sent("0001", "ACK", 1)
    assert [each.reason for each in gw.recorded(EventRefused)] == ["time_window"]


class _Late:
    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> Any:
        from datetime import timedelta

        return self._clock.now() - timedelta(hours=1)


async def test_a_binary_checksum_is_answered_in_kind(receiving: Any) -> None:
    gw = await receiving()
    assert await gw.raw(bytes.fromhex("0a dee8") + NULL[5:], 1) == bytes.fromhex("0a 2731") + NULL_ACK[5:]


@pytest.mark.parametrize("probe", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02" + bytes(range(100, 200))])
async def test_probes_are_dropped_and_counted(receiving: Any, probe: bytes) -> None:
    gw = await receiving()
    assert await gw.raw(probe, 1) == b""
    assert [each.reason for each in gw.recorded(FrameDropped)] == ["not_dc09"]
    assert await gw.raw(E1, 1) == E2


async def test_a_wrong_checksum_gets_no_reply_but_the_next_frame_does(receiving: Any) -> None:
    gw = await receiving()
    assert await gw.raw(E1.replace(b"BA17", b"BA18") + NULL, 1) == NULL_ACK
    assert [each.reason for each in gw.recorded(FrameDropped)] == ["bad_crc"]


async def test_an_unreadable_payload_is_still_an_alarm(receiving: Any) -> None:
    gw = await receiving()
    assert frames(await gw.raw(wrap(b'"ADM-CID"0001L0#6F01[#6F01|nonsense]'), 1)) == [b'"ACK"0001L0#6F01[]']
    (event,) = gw.intake.events
    assert event.kind == "alarm"
    assert "raw" in event.flags


async def test_connections_of_one_peer_are_limited(receiving: Any) -> None:
    gw = await receiving(max_connections_per_peer=2)
    held = [await asyncio.open_connection("127.0.0.1", gw.port) for _ in range(2)]
    assert await gw.raw(b"", 1) == b""
    assert [each.reason for each in gw.recorded(FrameDropped)] == ["too_many_connections"]
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    while gw.source._links:
        await asyncio.sleep(0)
    assert await gw.raw(E1, 1) == E2


async def test_silent_connections_are_closed(receiving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.sources.dc09.source.SWEEP_S", 0.01)
    gw = await receiving()
    (gw.source.__dict__)["settings"] = gw.source.settings.model_copy(update={"idle": 0.05})
    reader, writer = await asyncio.open_connection("127.0.0.1", gw.port)
    assert await reader.read() == b""
    assert [each.reason for each in gw.recorded(FrameDropped)] == ["idle"]
    writer.close()
    await writer.wait_closed()


async def test_a_panel_that_does_not_read_its_replies_is_not_read_until_it_does(receiving: Any) -> None:
    gw = await receiving()
    loop, sent = asyncio.get_running_loop(), 0
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", gw.port))
        while not gw.source._links:
            await asyncio.sleep(0)
        (link,) = gw.source._links
        link._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        while not link._paused:
            with contextlib.suppress(BlockingIOError):
                sent += sock.send((NULL * 64)[sent % len(NULL) :])
            await asyncio.sleep(0)
        expected, replies = sent // len(NULL), 0
        while replies < expected:
            async with asyncio.timeout(10):
                replies += (await loop.sock_recv(sock, 65536)).count(b"\r")
        assert replies == expected


async def test_supervised_accounts_and_life_signs(receiving: Any) -> None:
    accounts = [
        {"account": "6F01", "supervision": "SP5", "area": "North depot"},
        {"account": "6F02", "receiver": "1", "supervision": "60s", "supervision_allowance": "5s"},
        {"account": "6F03"},
    ]
    gw = await receiving(accounts=accounts)
    assert [(each.subject, each.interval_s, each.allowance_s, each.area) for each in gw.source.supervised()] == [
        ("6F01", 90.0, 30.0, "North depot"),
        ("R1#6F02", 60.0, 5.0, ""),
    ]
    await gw.panel("6F02", receiver="1").poll()
    await gw.panel("6F03").poll()
    assert gw.heard == [("panels", "R1#6F02"), ("panels", "6F03")]
    assert [state.subject for state in gw.source.states()] == ["6F03"]


async def test_tls(receiving: Any, tmp_path: Any) -> None:
    import trustme

    from tocsin.transports.contract import TlsOptions

    ca = trustme.CA()
    pair = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    gw = await receiving(tls={"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")})
    panel = gw.panel("6F01", tls=TlsOptions(ca_file=str(tmp_path / "ca.pem")))
    assert (await panel.event("#6F01|NBA1")).answer == "ACK"


async def test_cancelled_it_leaves_nothing_behind(receiving: Any) -> None:
    gw = await receiving()
    gw.intake.gate.clear()
    asking = asyncio.create_task(gw.raw(E1, 1))
    while not gw.intake.batches:
        await asyncio.sleep(0)
    gw.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gw.task
    with pytest.raises((ConnectionError, AssertionError)):
        assert await asking
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gw.port)
    assert gw.intake.events == []


async def test_a_port_that_is_taken_is_an_error(receiving: Any) -> None:
    gw = await receiving()
    again = type(gw.source)(
        gw.source.settings.model_copy(update={"listen": f"127.0.0.1:{gw.port}"}),
        SourceSurroundings(gw.source.clock, random.Random(1), print, print),
    )
    with pytest.raises(OSError, match="address already in use"):
        await again.run(gw.intake)
