"""The connector against a stand-in OnGuard over real sockets: sessions, inventory, states, orders, checks."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from tests.systems.onguard.conftest import AT, PASSWORD, Bench, baseline, inventory, settings

from tocsin.engine.contracts import CheckStep
from tocsin.engine.systems import (
    LicenceRefused,
    LoginRefused,
    Misconfigured,
    NotSupported,
    ProtocolFault,
    SystemFault,
    Unreachable,
)
from tocsin.model.inventory import FoundState
from tocsin.standins.onguard import Access
from tocsin.standins.onguard_site import Site, example
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.system import OnGuardSystem
from tocsin.transports.tls import server_context


def large(readers: int) -> Site:
    site = Site()
    for panel in range(1, readers // 50 + 2):
        site.add("Lnl_Panel", ID=panel, Name=f"Panel {panel}", PanelType=2, IsOnline=True, Workstation="OG",
                 PrimaryIPAddress=0, SegmentId=0)  # fmt: skip
    for n in range(readers):
        site.add("Lnl_Reader", PanelID=n // 50 + 1, ReaderID=n % 50, Name=f"Reader {n}", HostName="OG", ControlType=0,
                 TimeAttendanceType=0)  # fmt: skip
    return site


async def test_the_inventory_has_every_device_with_parent_place_and_address(bench: Bench) -> None:
    _, port = await bench.server()
    found, notes = await inventory(bench.system(port, panel_types={"2": "intrusion"}))
    assert sorted(found) == [
        ("alarm_panel", "3-1"), ("camera", "9-1"), ("camera", "9-2"), ("input", "3-1-2"), ("output", "3-1-1"),
        ("panel", "3"), ("panel", "4"), ("reader", "3-4"), ("reader", "3-5"), ("reader", "4-1"), ("recorder", "9"),
    ]  # fmt: skip
    reader = found["reader", "3-4"]
    assert (reader.parent, reader.location, reader.site_id) == (("panel", "3"), "Head office", "1")
    assert reader.attributes["panel"] == "Main"
    assert found["panel", "4"].type == "intrusion"
    assert found["alarm_panel", "3-1"].subtype == "input_panel"
    assert (found["camera", "9-2"].channel, found["camera", "9-2"].parent) == (2, ("recorder", "9"))
    assert [note for note in notes if note.partial] == []


@pytest.mark.parametrize(
    ("order", "setting"), [("little", "auto"), ("big", "auto"), ("little", "little"), ("big", "big")]
)
async def test_scenario_22_integer_address_negative_and_both_byte_orders(
    bench: Bench, order: Any, setting: str
) -> None:
    _, port = await bench.server(example(order))
    found, notes = await inventory(bench.system(port, ip_byte_order=setting))
    assert found["panel", "3"].address == "10.20.30.40"
    assert found["panel", "4"].address == "10.20.30.200"
    assert found["camera", "9-1"].address == "192.168.7.11"
    assert bool([note for note in notes if f"{order}-endian" in note.text]) is (setting == "auto")


async def test_scenario_1_many_devices_come_all_and_once(bench: Bench) -> None:
    _, port = await bench.server(large(2500), page_cap=80)
    found, notes = await inventory(bench.system(port))
    assert (len(found), notes) == (2500 + 51, [])


async def test_scenario_2_a_server_that_ignores_pages(bench: Bench) -> None:
    _, port = await bench.server(large(300), ignores_pages=True)
    found, notes = await inventory(bench.system(port))
    assert (len(found), notes) == (300 + 7, [])
    assert len(bench.received) < 40


async def test_scenario_3_a_page_that_times_out_twice_is_asked_again(bench: Bench) -> None:
    standin, port = await bench.server(large(300))
    system = bench.system(port, timeout="1s")
    await inventory(system)
    standin.web.scripted = [*[Misbehaviour()] * 3, Misbehaviour(fault="close"), Misbehaviour(fault="cut")]
    found, notes = await inventory(system)
    assert (len(found), notes) == (307, [])


async def test_scenario_4_a_page_that_fails_for_good_makes_the_inventory_partial(bench: Bench) -> None:
    standin, port = await bench.server(large(300))
    system = bench.system(port)
    await inventory(system)
    # panels, recorders, the first page of readers; the second is broken
    standin.web.scripted = [Misbehaviour()] * 3 + [Misbehaviour(Reply(500))]
    found, notes = await inventory(system)
    assert len(found) == 7 + 100
    assert [note.partial for note in notes] == [True]
    assert "page 2" in notes[0].text


@pytest.mark.parametrize("assumed", [{"sorts": False}, {"page_cap": 7}, {"naive_times": True}, {"error_in": "header"},
                                     {"lacks": ("keepalive",)}])  # fmt: skip
async def test_the_inventory_is_the_same_whatever_is_assumed(bench: Bench, assumed: Any) -> None:
    _, usual = await bench.server(large(120))
    _, other = await bench.server(large(120), **assumed)
    expected, found = [await inventory(bench.system(port)) for port in (usual, other)]
    assert found == expected


async def test_counts_that_do_not_fit_make_the_inventory_partial(bench: Bench) -> None:
    _, port = await bench.server(lost_rows=1)
    _, notes = await inventory(bench.system(port))
    assert "2 rows came of the 3 that OnGuard counts" in notes[0].text
    assert all(note.partial for note in notes if "rows came" in note.text and "Segment" not in note.text)


async def test_scenario_7_a_server_that_stops_during_the_inventory_is_unreachable(bench: Bench) -> None:
    standin, port = await bench.server()
    system = bench.system(port)
    standin.web.scripted, standin.web.always = [Misbehaviour()] * 4, Misbehaviour(fault="close")
    with pytest.raises(Unreachable):
        await inventory(system)
    standin.web.always = None
    found, _ = await inventory(system)
    assert len(found) == 11


async def test_scenario_8_a_session_that_ends_in_the_middle_is_renewed_once_and_no_row_comes_twice(
    bench: Bench,
) -> None:
    standin, port = await bench.server(large(600), access={"requests": 5})
    found, notes = await inventory(bench.system(port))
    assert (len(found), notes) == (613, [])
    assert all(standin.logins)
    assert len(standin.logins) <= 6


async def test_scenario_8_many_requests_at_once_need_one_new_login(bench: Bench) -> None:
    standin, port = await bench.server(large(60))
    system = bench.system(port)
    await baseline(system)
    standin.end_sessions()
    assert len(await baseline(system)) == 62
    assert standin.logins == [True, True]


async def test_scenario_8_a_session_that_is_never_taken_is_a_refusal_not_a_loop(bench: Bench) -> None:
    standin, port = await bench.server()
    system = bench.system(port)
    await inventory(system)
    standin.web.always = None
    standin.web.scripted = [Misbehaviour(Reply(401)), *[Misbehaviour()] * 2, Misbehaviour(Reply(401))]
    with pytest.raises(LoginRefused, match="refused at once"):
        await inventory(system)
    assert len(standin.logins) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_scenario_9_a_wrong_password_is_tried_three_times_in_the_first_hour(bench: Bench, status: int) -> None:
    standin, port = await bench.server(wrong_password=status)
    system = bench.system(port, password="wrong-password")
    for minute in range(61):
        with pytest.raises(LoginRefused) as refused:
            await inventory(system)
        assert "wrong-password" not in str(refused.value)
        assert "locks" in str(refused.value)
        bench.clock.ahead_s = 59.9 * minute
    assert standin.logins == [False] * 3
    assert refused.value.status == "auth_failed"


async def test_scenario_9_after_the_password_is_right_again_it_goes_on(bench: Bench) -> None:
    standin, port = await bench.server(access={"password": "other"})
    system = bench.system(port)
    with pytest.raises(LoginRefused):
        await inventory(system)
    standin.access = Access()
    with pytest.raises(LoginRefused, match="not locked"):
        await inventory(system)
    bench.clock.ahead_s = 61
    assert len((await inventory(system))[0]) == 11


@pytest.mark.parametrize("error_in", ["body", "header"])
async def test_a_refused_licence_is_no_refused_login(bench: Bench, error_in: str) -> None:
    standin, port = await bench.server(access={"licensed": False}, error_in=error_in)
    system = bench.system(port)
    with pytest.raises(LicenceRefused, match="application_id") as refused:
        await inventory(system)
    assert refused.value.status == "licence_refused"
    assert standin.logins == []
    steps = await system.check()
    assert (steps[-1].what, steps[-1].ok) == ("licence", False)


async def test_a_directory_that_is_not_there_is_told_with_those_that_are(bench: Bench) -> None:
    standin, port = await bench.server()
    with pytest.raises(Misconfigured, match="<Internal>, CORP"):
        await inventory(bench.system(port, directory="corp"))
    assert standin.logins == []


async def test_a_second_server_takes_over(bench: Bench) -> None:
    first, port = await bench.server()
    second, other = await bench.server()
    system = bench.system(port, more_urls=[f"http://127.0.0.1:{other}"])
    await inventory(system)
    await first.web.aclose()
    assert len((await inventory(system))[0]) == 11
    assert (first.logins, second.logins) == ([True], [True])


async def test_a_second_server_takes_over_from_all_that_ask_at_once(bench: Bench) -> None:
    first, port = await bench.server()
    second, other = await bench.server()
    session = Session(settings(port, more_urls=[f"http://127.0.0.1:{other}"]), bench.clock)
    bench.closing.push_async_callback(session.aclose)
    await session.login()
    await first.web.aclose()
    await asyncio.gather(*(session.ask("GET", "version") for _ in range(4)))
    assert second.logins == [True]


@pytest.mark.parametrize(
    "lacking",
    ["video_recorders", "Lnl_AlarmPanel", "Lnl_Segment", "Lnl_Camera", "logged_events", "feature_availability"],
)
async def test_what_an_onguard_does_not_have_is_left_out(bench: Bench, lacking: str) -> None:
    _, port = await bench.server(lacks=(lacking,))
    found, notes = await inventory(bench.system(port))
    assert ("reader", "3-4") in found
    assert [note for note in notes if note.partial] == []


async def test_readers_that_cannot_be_read_make_the_inventory_partial(bench: Bench) -> None:
    _, port = await bench.server(lacks=("Lnl_Reader",))
    found, notes = await inventory(bench.system(port))
    assert ("panel", "3") in found
    assert any(note.partial and "Lnl_Reader" in note.text for note in notes)


async def test_intercoms_are_told_apart_by_the_keys_onguard_names(bench: Bench) -> None:
    site = example()
    site.add("Lnl_IntercomStation", StationID=12, Name="Gate")
    _, port = await bench.server(site)
    found, _ = await inventory(bench.system(port))
    assert found["intercom", "12"].type == "intercom"


async def test_scenario_23_status_words_0x21_0x0_0x2000001(bench: Bench) -> None:
    site = example()
    site.words |= {("Lnl_Reader", (3, 4)): 0x21, ("Lnl_Reader", (3, 5)): 0x0, ("Lnl_Reader", (4, 1)): 0x2000001}
    _, port = await bench.server(site)
    found = await baseline(bench.system(port))
    told = [(found["reader", key].state, found["reader", key].reason) for key in ("3-4", "3-5", "4-1")]
    assert told == [("online", "bit_online"), ("offline", "bit_offline"), ("degraded", "readhead_offline")]


@pytest.mark.parametrize(
    ("cascade", "told"), [(True, ("offline", "panel_offline")), (False, ("unknown", "parent_unknown"))]
)
async def test_scenario_24_a_panel_offline_takes_its_readers_with_it_and_back(
    bench: Bench, cascade: bool, told: tuple[str, str]
) -> None:
    site = example()
    _, port = await bench.server(site)
    system = bench.system(port, health={"cascade_offline": cascade})
    site.panel(3, False, AT)
    found = await baseline(system)
    for key in (("reader", "3-4"), ("reader", "3-5"), ("alarm_panel", "3-1"), ("input", "3-1-2")):
        assert (found[key].state, found[key].reason, found[key].basis) == (*told, "inherited")
    assert found["panel", "3"].state == "offline"
    assert found["reader", "4-1"].state == "online", "another panel's"
    site.panel(3, True, AT)
    assert {state.state for state in (await baseline(system)).values()} == {"online"}


async def test_cameras_follow_their_recorder(bench: Bench) -> None:
    site = example()
    site.recorders[0]["is_online"] = False
    _, port = await bench.server(site)
    found = await baseline(bench.system(port))
    assert (found["recorder", "9"].state, found["camera", "9-1"].state) == ("offline", "offline")


async def test_panels_whose_communication_server_is_gone_are_unknown(bench: Bench) -> None:
    site = example()
    site.deaf.add(4)
    _, port = await bench.server(site)
    found = await baseline(bench.system(port))
    assert (found["panel", "4"].state, found["panel", "4"].reason) == ("unknown", "source_unreachable")
    assert found["reader", "4-1"].state == "unknown"
    assert found["panel", "3"].state == "online"


class Following:
    """What `states` yields, gathered while it runs."""

    def __init__(self, system: OnGuardSystem) -> None:
        self.seen: list[Any] = []
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow(system))
        self._task.add_done_callback(lambda _: self._news.set())

    async def _follow(self, system: OnGuardSystem) -> None:
        async for one in system.states():
            self.seen.append(one)
            self._news.set()

    async def until(self, wanted: Callable[[list[Any]], bool]) -> None:
        async with asyncio.timeout(10):
            while not wanted(self.seen):
                if self._task.done():
                    await self._task
                self._news.clear()
                await self._news.wait()

    async def aclose(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, SystemFault):
            await self._task


@pytest.fixture
async def following(bench: Bench) -> Callable[[OnGuardSystem], Following]:
    def begin(system: OnGuardSystem) -> Following:
        made = Following(system)
        bench.closing.push_async_callback(made.aclose)
        return made

    return begin


def has(kind: str, key: str, state: str, basis: str = "") -> Callable[[list[Any]], bool]:
    return lambda seen: any(
        isinstance(one, FoundState)
        and (one.kind, one.native_key, one.state) == (kind, key, state)
        and basis in ("", one.basis)
        for one in seen
    )


async def test_changes_are_seen_by_polling(bench: Bench, following: Callable[[OnGuardSystem], Following]) -> None:
    site = example()
    _, port = await bench.server(site)
    stream = following(bench.system(port, health={"mode": "poll"}))
    await stream.until(lambda seen: seen[:2] == ["new_session", "live"])
    site.words["Lnl_Reader", (3, 4)] = 0
    await stream.until(has("reader", "3-4", "offline"))
    assert not any(row["request"] == "GET logged_events" for row in bench.received)


async def test_the_event_log_points_and_the_status_word_decides(
    bench: Bench, following: Callable[[OnGuardSystem], Following]
) -> None:
    site = example()
    _, port = await bench.server(site, must_report=False)
    stream = following(bench.system(port, health={"every": 3600.0}))
    await stream.until(lambda seen: "live" in seen)
    site.log("Reader Offline", AT, controller_id=3, device_id=5)
    site.words["Lnl_Reader", (3, 4)] = 0
    site.log("Reader Offline", AT, controller_id=3, device_id=4)
    await stream.until(has("reader", "3-4", "offline", "event"))
    await stream.until(has("reader", "3-5", "online", "event"))
    site.panel(3, False, AT)
    await stream.until(has("panel", "3", "offline", "event"))
    await stream.until(has("reader", "3-5", "offline", "inherited"))


@pytest.mark.parametrize("fault", [Misbehaviour(Reply(404)), Misbehaviour(Reply(400))])
async def test_without_an_event_log_polling_goes_on(
    bench: Bench, following: Callable[[OnGuardSystem], Following], fault: Misbehaviour
) -> None:
    site = example()
    _, port = await bench.server(site, lacks=("logged_events",))
    stream = following(bench.system(port))
    site.words["Lnl_Reader", (4, 1)] = 0
    await stream.until(has("reader", "4-1", "offline"))


async def test_scenario_27_a_system_that_is_gone_is_blind_and_no_device_goes_offline(
    bench: Bench, following: Callable[[OnGuardSystem], Following]
) -> None:
    standin, port = await bench.server()
    stream = following(bench.system(port))
    await stream.until(lambda seen: "live" in seen)
    standin.web.always = Misbehaviour(fault="close")
    await stream.until(lambda seen: "blind" in seen)
    standin.web.always = None
    await stream.until(lambda seen: seen.count("new_session") == 2)
    assert seen_states(stream.seen) <= {"online"}
    assert stream.seen.count("blind") == 1


@pytest.mark.parametrize("answered", [0, 10])
async def test_27_when_asking_fails_nothing_more_is_asked(bench: Bench, answered: int) -> None:
    """Hundreds of requests to a server that is gone would otherwise go on behind everybody's back, after each try."""
    standin, port = await bench.server(large(300))
    system = bench.system(port)
    await inventory(system)
    standin.web.scripted = [Misbehaviour()] * answered
    standin.web.always = Misbehaviour(Reply(503))
    with pytest.raises(Unreachable):
        [state async for state in system.baseline()]
    asking = [task for task in asyncio.all_tasks() if "Hardware" in getattr(task.get_coro(), "__qualname__", "")]
    assert asking == []


def seen_states(seen: list[Any]) -> set[str]:
    return {one.state for one in seen if isinstance(one, FoundState)}


async def test_scenario_26_a_password_that_is_changed_is_told_and_no_device_goes_offline(
    bench: Bench, following: Callable[[OnGuardSystem], Following]
) -> None:
    standin, port = await bench.server()
    stream = following(bench.system(port))
    await stream.until(lambda seen: "live" in seen)
    standin.access = Access(password="changed")
    standin.end_sessions()
    with pytest.raises(LoginRefused):
        await stream.until(lambda seen: False)
    assert seen_states(stream.seen) <= {"online"}
    assert standin.logins == [True, False]


async def test_orders_are_off_until_they_are_allowed(bench: Bench) -> None:
    standin, port = await bench.server()
    with pytest.raises(NotSupported, match="commands = true"):
        await bench.system(port).command("output", "3-1-1", "siren")
    assert "commands" not in bench.system(port).capabilities
    assert standin.orders == []


SIREN = {"PanelID": 3, "AlarmPanelID": 1, "OutputID": 1}


@pytest.mark.parametrize(
    ("kind", "key", "order", "called"),
    [
        ("output", "3-1-1", "siren", ("Lnl_AlarmOutput", SIREN, "Activate")),
        ("output", "3-1-1", "stop_siren", ("Lnl_AlarmOutput", SIREN, "Deactivate")),
        ("output", "3-1-1", "trigger", ("Lnl_AlarmOutput", SIREN, "Pulse")),
        ("intrusion_area", "1", "arm", ("Lnl_IntrusionArea", {"ID": 1}, "Arm")),
        ("intrusion_area", "1", "disarm", ("Lnl_IntrusionArea", {"ID": 1}, "Disarm")),
    ],
)  # fmt: skip
async def test_orders_are_carried_out(bench: Bench, kind: str, key: str, order: str, called: Any) -> None:
    standin, port = await bench.server()
    answer = await bench.system(port, commands=True).command(kind, key, order)
    assert standin.orders == [called]
    assert key in answer


@pytest.mark.parametrize(
    ("kind", "key", "order"),
    [("reader", "3-4", "siren"), ("output", "3-1-1", "arm"), ("output", "3-1", "siren"), ("output", "3-1-x", "siren"),
     ("reader_output1", "3-4", "siren"), ("output", "3-1-9", "siren")],
)  # fmt: skip
async def test_orders_that_cannot_be_carried_out_are_refused(bench: Bench, kind: str, key: str, order: str) -> None:
    standin, port = await bench.server()
    with pytest.raises(NotSupported):
        await bench.system(port, commands=True).command(kind, key, order)
    assert standin.orders == []


async def test_an_order_whose_answer_is_lost_is_not_repeated(bench: Bench) -> None:
    standin, port = await bench.server()
    _, other = await bench.server()
    system = bench.system(port, commands=True, more_urls=[f"http://127.0.0.1:{other}"])
    await system.command("output", "3-1-1", "siren")
    standin.web.scripted = [Misbehaviour(fault="cut")]
    with pytest.raises(Unreachable):
        await system.command("output", "3-1-1", "trigger")
    assert [order[2] for order in standin.orders] == ["Activate", "Pulse"]


async def test_closing_logs_out(bench: Bench) -> None:
    standin, port = await bench.server()
    system = bench.system(port)
    await inventory(system)
    assert standin.sessions == 1
    await system.aclose()
    assert standin.sessions == 0


async def test_closing_does_not_wait_for_a_silent_server(bench: Bench) -> None:
    standin, port = await bench.server()
    system = bench.system(port, timeout="30s")
    await inventory(system)
    standin.web.always = Misbehaviour(fault="silent")
    async with asyncio.timeout(3):
        await system.aclose()


async def test_a_long_idle_session_is_kept_alive(bench: Bench) -> None:
    _, port = await bench.server()
    system = bench.system(port)
    await inventory(system)
    bench.clock.ahead_s = 301
    await system._session.keep_alive()
    await system._session.keep_alive()
    assert [row["request"] for row in bench.received].count("GET keepalive") == 2  # one ends the inventory


def told(steps: Any) -> str:
    return "\n".join(f"{step.what} {'ok' if step.ok else 'FAILED'} {step.detail} {step.hint}" for step in steps)


async def test_check_says_everything_when_all_is_well(bench: Bench) -> None:
    _, port = await bench.server()
    steps = await bench.system(port).check()
    assert all(step.ok for step in steps)
    for part in ("login ok as openaccess-svc", "OnGuard 8.2", "3 × reader", "little-endian", "asked every"):
        assert part in told(steps)


async def failed(bench: Bench, port: int, **changes: Any) -> CheckStep:
    steps = await bench.system(port, **changes).check()
    assert [step.ok for step in steps[:-1]] == [True] * (len(steps) - 1)
    assert not steps[-1].ok
    return steps[-1]


async def test_check_names_the_step_that_fails(bench: Bench) -> None:
    standin, port = await bench.server()
    assert "locks" in (await failed(bench, port, password="wrong")).detail
    assert (await failed(bench, port, application_id="other")).what == "licence"
    standin.web.always = Misbehaviour(Reply(200, b"<html>hello</html>"))
    assert "not JSON" in (await failed(bench, port)).detail
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        step = await failed(bench, probe.getsockname()[1])
    assert step.what.startswith("connect to")


async def test_check_tells_a_foreign_certificate(bench: Bench, tmp_path: Any) -> None:
    authority = trustme.CA()
    pair = str(tmp_path / "pair.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pair)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    _, port = await bench.server(tls=server_context(pair, pair))
    step = await failed(bench, port, scheme="https")
    assert (step.what, "ca_file" in step.detail) == ("TLS", True)
    good = bench.system(port, scheme="https", tls={"ca_file": str(tmp_path / "ca.pem")})
    assert all(step.ok for step in await good.check())


async def test_scenario_29_no_secret_is_told(bench: Bench) -> None:
    standin, port = await bench.server()
    system = bench.system(port)
    await inventory(system)
    standin.web.always = Misbehaviour(Reply(400, b'{"error": {"code": "c", "message": "m"}}'))
    with pytest.raises(ProtocolFault) as fault:
        await inventory(system)
    everything = (
        f"{fault.value!r} {bench.recorded!r} {settings(port)!r} {bench.received!r} {told(await system.check())}"
    )
    assert PASSWORD not in everything


@pytest.mark.parametrize("fault", ["close", "cut", "silent"])
async def test_every_way_an_answer_can_fail_is_a_fault(bench: Bench, fault: Any) -> None:
    standin, port = await bench.server()
    standin.web.always = Misbehaviour(fault=fault)
    with pytest.raises(SystemFault):
        await inventory(bench.system(port, timeout="1s"))


@pytest.mark.parametrize("body", [b"[]", b"7", b"\xff", b'{"item_list": 7}', b'{"item_list": [{}]}', b"{}", b""])
async def test_any_answer_is_read_or_refused(bench: Bench, body: bytes) -> None:
    standin, port = await bench.server()
    system = bench.system(port)
    await inventory(system)
    standin.web.always = Misbehaviour(Reply(200, body))
    try:
        found, _ = await inventory(system)
    except ProtocolFault:
        return
    assert found == {}


async def test_pictures_are_not_to_be_had(bench: Bench) -> None:
    _, port = await bench.server()
    with pytest.raises(NotSupported):
        await bench.system(port).photo("9-1")
