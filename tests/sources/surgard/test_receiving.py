"""Records on real sockets: on disk, then acknowledged; never a NAK but for the disk; who is heard and who is not."""

import asyncio
import ssl
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from tests.sources.surgard.conftest import Running

from tocsin.engine.clock import LoopClock
from tocsin.protocols.surgard.sender import Ended
from tocsin.sources.surgard.settings import SurgardSourceSettings
from tocsin.standins.surgard_receiver import HEARTBEAT, StandInReceiver
from tocsin.telemetry.occurrences import EventRefused, Notice, TaskFailed, Trouble

ALARM, RESTORE = b"5011 181234E13001004", b"5011 181234R13001004"
TAKEN = Ended("acknowledged", 1)


class Ahead:
    """The loop's clock, put forward by `by` seconds."""

    by = 0.0

    def __init__(self) -> None:
        self._real = LoopClock()

    def now(self) -> Any:
        return self._real.now()

    def monotonic(self) -> float:
        return self._real.monotonic() + self.by


async def test_acknowledged_when_it_is_on_disk_and_not_before(automation: Running) -> None:
    running = await automation()
    running.intake.gate.clear()
    sending = asyncio.create_task(running.receiver().send(ALARM))
    while not running.intake.asked:
        await asyncio.sleep(0)
    assert not sending.done()
    running.intake.gate.set()
    assert await sending == TAKEN
    (event,) = running.events
    assert (event.kind, event.place.area, event.source) == ("burglary", "North depot", "receiver")


async def test_heartbeats_are_acknowledged_and_are_no_events(automation: Running) -> None:
    running = await automation()
    assert await running.receiver().send(HEARTBEAT) == TAKEN
    assert running.events == []
    assert running.heard == [("receiver", "receiver link")]


async def test_everything_is_acknowledged_also_what_nobody_understands(automation: Running) -> None:
    running = await automation()
    receiver = running.receiver()
    for record in (b"2011 what", b"C011 fsk", b"0011[#0000|NYC011]", b"\xff\xfe", b"5011 189999E13001004"):
        assert await receiver.send(record) == TAKEN
    assert [event.flags for event in running.events] == [
        ("raw", "unknown_account"),
        ("raw", "unknown_account"),
        (),
        ("raw", "unknown_account"),
        ("unknown_account",),
    ]


async def test_nak_only_when_storing_failed_and_the_repeat_is_new(automation: Running) -> None:
    running = await automation()
    receiver = running.receiver()
    running.intake.closed = True
    assert await receiver.raw(ALARM + b"\x14", 1) == b"\x15"
    running.intake.closed, running.intake.broken = False, True
    assert await receiver.raw(ALARM + b"\x14", 1) == b"\x15"
    assert [type(each) for each in running.occurrences] == [TaskFailed]
    running.intake.broken = False
    assert await receiver.raw(ALARM + b"\x14", 1) == b"\x06"
    assert len(running.events) == 1


async def test_what_the_intake_refuses_does_not_stop_the_queue(automation: Running) -> None:
    running = await automation()
    running.intake.refusing = True
    assert await running.receiver().send(ALARM) == TAKEN
    assert [each.reason for each in running.occurrences if isinstance(each, EventRefused)] == ["refused"]


async def test_a_repeat_is_acknowledged_and_kept_once(automation: Running) -> None:
    running = await automation()
    first, second = running.receiver(), running.receiver()
    for receiver, record in ((first, ALARM), (first, ALARM), (first, HEARTBEAT), (second, ALARM)):
        assert await receiver.send(record) == TAKEN
    assert len(running.events) == 1
    assert running.dropped() == ["repeat", "repeat"]
    for record in (RESTORE, ALARM):
        assert await first.send(record) == TAKEN
    assert [event.state for event in running.events] == ["new", "restore", "new"]


async def test_the_same_record_after_a_minute_is_news(automation: Running) -> None:
    clock = Ahead()
    running = await automation(clock=clock)
    receiver = running.receiver()
    await receiver.send(ALARM)
    clock.by = 61.0
    await receiver.send(ALARM)
    assert len(running.events) == 2


async def test_stuck_copies_get_one_answer_and_are_one_event(automation: Running) -> None:
    running = await automation()
    receiver = running.receiver()
    assert await receiver.raw(ALARM * 6 + b"\x14" + HEARTBEAT + b"\x14", 2) == b"\x06\x06"
    assert len(running.events) == 1
    assert await receiver.raw(RESTORE + b"\r\n", 1) == b"\x06"


async def test_an_answer_that_comes_too_late_is_not_given(automation: Running) -> None:
    clock = Ahead()
    running = await automation(clock=clock)
    running.intake.gate.clear()
    receiver = running.receiver(wait_s=0.3)
    sending = asyncio.create_task(receiver.send(ALARM))
    while not running.intake.asked:
        await asyncio.sleep(0)
    clock.by = 3.5
    running.intake.gate.set()
    assert await sending == Ended("acknowledged", 2), "the repeat has its own answer"
    assert await receiver.send(HEARTBEAT) == Ended("unsettled", 0)
    assert len(running.events) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: gw.example.net\r\n\r\n", "http"),
        (bytes.fromhex("16030100f1010000ed0303"), "tls"),
        (b"?" * 600, "overflow"),
    ],
)
async def test_other_protocols_are_hung_up_on(automation: Running, data: bytes, reason: str) -> None:
    running = await automation()
    assert await running.receiver().raw(data, 1) == b""
    assert running.dropped() == [reason]
    assert running.events == []


async def test_letters_and_listening_along(automation: Running) -> None:
    letters, silent = await automation(answer="letters"), await automation(answer="none")
    assert await letters.receiver().raw(ALARM + b"\x14", 5) == b"ACK\r\n"
    receiver = silent.receiver(wait_s=0.1, attempts=1)
    assert await receiver.send(ALARM) == Ended("silent", 1)
    assert len(silent.events) == 1


async def test_unknown_accounts_may_be_left_out_but_never_refused(automation: Running) -> None:
    running = await automation(unknown_accounts="refuse")
    receiver = running.receiver()
    assert await receiver.send(b"5011 189999E13001004") == TAKEN
    assert await receiver.send(b"2011 no account to be seen") == TAKEN
    assert await receiver.send(ALARM) == TAKEN
    assert [event.kind for event in running.events] == ["alarm", "burglary"]
    (refused,) = [each for each in running.occurrences if isinstance(each, EventRefused)]
    assert (refused.reason, "9999" in refused.detail) == ("unknown_account", True)


async def test_supervision_of_link_receivers_and_accounts(automation: Running) -> None:
    link = await automation()
    assert [(each.subject, each.interval_s) for each in link.source.supervised()] == [("receiver link", 90.0)]
    accounts = [{"account": "1234", "supervision": "25h"}, {"account": "6F01"}]
    running = await automation(receivers=["01", "02"], heartbeat="10s", accounts=accounts)
    subjects = [(each.subject, each.interval_s) for each in running.source.supervised()]
    assert subjects == [("receiver 01", 30.0), ("receiver 02", 30.0), ("1234", 90000.0)]
    receiver = running.receiver()
    for record in (HEARTBEAT, b"1031           @    ", ALARM, b"5021 186F01E13001004"):
        await receiver.send(record)
    heard = [subject for _, subject in running.heard]
    assert heard == ["receiver 01", "receiver 01", "1234", "receiver 02", "6F01"]
    assert [state.subject for state in running.source.states()] == ["6F01"]
    assert (await automation(heartbeat="off")).source.supervised() == []


async def test_a_silent_connection_is_closed(automation: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.sources.surgard.source.ALLOWANCE_S", -2.9)
    running = await automation(heartbeat="1s")
    assert await running.receiver().raw(b"5011", 1) == b""
    assert running.dropped() == ["idle"]


async def test_only_allowed_addresses_and_so_many_connections(automation: Running) -> None:
    strange = await automation(allowed=["192.0.2.0/24"])
    assert await strange.receiver().raw(b"", 1) == b""
    assert strange.dropped() == ["not_allowed"]
    full = await automation(max_connections=1)
    await full.receiver().send(HEARTBEAT)
    assert await full.receiver().raw(b"", 1) == b""
    assert full.dropped() == ["too_many_connections"]


async def test_tls_with_required_client_certificates(automation: Running, tmp_path: Any) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("gw.example.net", "receiver.example.net"):
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    ours, ca = str(tmp_path / "gw.example.net.pem"), str(tmp_path / "ca.pem")
    running = await automation(tls={"cert": ours, "key": ours, "client_ca": ca})
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(str(tmp_path / "receiver.example.net.pem"))
    assert await running.receiver(tls=context, server_name="gw.example.net").send(ALARM) == TAKEN


async def test_connecting_to_the_receiver_that_can_be_used(automation: Running) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    standby = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    receiver = StandInReceiver(wait_s=5.0)
    port, busy = await receiver.start(), standby.sockets[0].getsockname()[1]
    running = await automation(hosts=[f"127.0.0.1:{busy}", f"127.0.0.1:{port}"])
    running.receivers.append(receiver)
    assert await receiver.send(HEARTBEAT) == TAKEN
    assert await receiver.send(ALARM) == TAKEN
    assert len(running.events) == 1
    standby.close()


async def test_connecting_again_and_telling_it_once(automation: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.sources.surgard.source.PAUSE_S", 0.01)
    receiver = StandInReceiver(wait_s=5.0)
    port = await receiver.start()
    await receiver.aclose()
    running = await automation(hosts=[f"127.0.0.1:{port}"])
    while not running.occurrences:
        await asyncio.sleep(0.01)
    again = StandInReceiver(wait_s=5.0)
    await again.start("127.0.0.1", port)
    running.receivers.append(again)
    assert await again.send(ALARM) == TAKEN
    assert isinstance(running.occurrences[-1], Notice)
    await again.hang_up()
    assert await again.send(RESTORE) == TAKEN
    assert len(running.events) == 2
    told = [type(each) for each in running.occurrences if isinstance(each, Trouble | Notice)]
    assert told == [Trouble, Notice]


@pytest.mark.parametrize(
    ("table", "because"),
    [
        ({}, "needs hosts"),
        ({"mode": "listen", "listen": "0.0.0.0:1025"}, "say who may connect"),
        ({"hosts": ["192.0.2.5:1025"], "acknowledge": "delivered", "answer": "none"}, "needs an answer"),
        ({"hosts": ["192.0.2.5:1025"], "acknowledge": "delivered", "delivered_within": "15s"}, "2.5"),
        ({"hosts": ["192.0.2.5:1025"], "accounts": [{"account": "1"}, {"account": "1"}]}, "given twice"),
        ({"hosts": ["192.0.2.5:1025"], "accounts": [{"account": "1", "line": "12"}]}, "pattern"),
        ({"hosts": ["192.0.2.5:1025"], "heartbeat": "0s"}, "1s"),
    ],
)
def test_settings_that_do_not_fit(table: dict[str, Any], because: str) -> None:
    with pytest.raises(ValidationError, match=because):
        SurgardSourceSettings.model_validate({"name": "receiver", "type": "surgard"} | table)
