"""Routine checks: at most one per device and period; what is forgotten sends one more, never one less."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.engine.conftest import Open, ScriptedStation

from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Addressed, IntakeClosed
from tocsin.engine.devices import DeviceBook
from tocsin.engine.plans import Planned, planned
from tocsin.engine.routine import RoutineChecks, Sent, slack
from tocsin.engine.routing import Filter, Route, judge
from tocsin.engine.submission import EventIn, submission
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.store.contract import StoreUnavailable
from tocsin.telemetry.occurrences import DeliveriesFiltered

NOW = LoopClock().now()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def check(at: timedelta, late: timedelta = timedelta(), device: str = "d1", **more: Any) -> Event:
    return Event("e", "routine_check", NOW + at, NOW + at + late, "detectors", device_id=device, **more)


class Station:
    """Asks and keeps as the intake does; `went` are the instants of the checks that went."""

    def __init__(self, rule: str, *devices: Device) -> None:
        self.checks = RoutineChecks(DeviceBook(None, AreaTree(), devices))  # type: ignore[arg-type]
        self.route = Route("arc", Filter(routine_checks=rule), lambda _: Addressed("#1", "1"))  # type: ignore[arg-type]

    def share(self, event: Event) -> Planned:
        (share,) = self.checks.thinned(event, [planned(self.route, judge(self.route, event, ()), event)], {})
        return share

    def takes(self, event: Event) -> bool:
        share = self.share(event)
        self.checks.kept(event, [share.owed])
        return share.verdict.yes


@pytest.mark.parametrize(
    ("rule", "routine_s", "gap", "goes"),
    [
        ("hourly", None, timedelta(minutes=54), False),
        ("hourly", None, timedelta(minutes=56), True),
        ("daily", 3600.0, timedelta(hours=23), False),
        ("daily", 3600.0, timedelta(hours=23, minutes=51), True),
        ("period", None, timedelta(minutes=30), False),
        ("period", None, HOUR, True),
        ("period", 86400.0, timedelta(hours=23), False),
        ("period", 86400.0, DAY, True),
        ("all", 86400.0, timedelta(seconds=1), True),
    ],
)
def test_at_most_one_per_period(rule: str, routine_s: float | None, gap: timedelta, goes: bool) -> None:
    station = Station(rule, Device("d1", routine_s=routine_s))
    assert station.takes(check(timedelta()))
    assert station.takes(check(gap)) is goes


def test_the_reason_names_rule_device_and_time() -> None:
    station = Station("daily")
    station.takes(check(timedelta()))
    reason = station.share(check(HOUR)).owed.reason
    assert reason == f"filter.routine_checks: d1 sent one at {NOW:%H:%M:%S} UTC, at most one per 24 h"


def test_devices_and_panels_do_not_hold_back_each_other() -> None:
    station = Station("daily")
    panels = [check(timedelta(), device="", address=Address(account)) for account in ("9280", "9281")]
    assert [station.takes(one) for one in [*panels, check(timedelta()), check(timedelta(), device="d2")]] == [True] * 4
    assert not station.takes(panels[0])


def test_panels_of_one_number_at_two_receivers_do_not_hold_back_each_other() -> None:
    station = Station("daily")
    panel = check(timedelta(), device="", address=Address("9280"))
    assert [station.takes(structs.replace(panel, source=source)) for source in ("east", "west")] == [True, True]
    assert not station.takes(structs.replace(panel, source="east"))


@pytest.mark.parametrize(("flag", "counts"), [("on_test", False), ("on_test:arc", False), ("on_test:other", True)])
def test_one_that_went_as_a_test_holds_back_no_real_one(flag: str, counts: bool) -> None:
    station = Station("daily")
    assert station.takes(check(timedelta(), flags=(flag,)))
    assert station.takes(check(HOUR)) is not counts


def test_one_that_came_late_or_a_clock_that_was_set_costs_nothing() -> None:
    late = Station("daily")
    assert late.takes(check(timedelta(), late=timedelta(hours=5)))
    assert late.takes(check(DAY)), "a day after the last occurred, though 19 hours after it came"
    ahead = Station("daily")
    assert ahead.takes(check(timedelta(hours=20), late=timedelta(hours=-20)))
    assert ahead.takes(check(DAY)), "a day after the last came, though 4 hours after it said it occurred"


def test_what_is_not_on_disk_or_was_not_sent_holds_back_nothing() -> None:
    station = Station("daily")
    station.share(check(timedelta()))
    assert station.takes(check(HOUR)), "the first was asked about only"
    mute = Station("daily")
    mute.route = Route("arc", mute.route.filter, lambda _: Addressed(problem="no address"))
    mute.takes(check(timedelta()))
    mute.route = Station("daily").route
    assert mute.takes(check(HOUR)), "the first was set aside"


def test_in_one_batch_too_what_is_set_aside_holds_back_nothing() -> None:
    station = Station("daily")
    lost, fine = Addressed(problem="no address"), Addressed("#1", "1")
    batch: Sent = {}
    went = []
    for answer in (lost, fine, fine):
        event = check(timedelta())
        route = Route("arc", station.route.filter, lambda _, answer=answer: answer)  # type: ignore[misc]
        shares = [planned(route, judge(route, event, ()), event)]
        went.append(station.checks.thinned(event, shares, batch)[0].owed.state)
    assert went == ["rejected", "pending", "filtered"]


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["hourly", "daily"]),
    st.lists(st.tuples(st.integers(1, 3 * 86400), st.integers(0, 86400)), max_size=30),
    st.sets(st.integers(0, 30)),
)
def test_no_period_with_a_check_goes_without_one_that_went(
    rule: str, gaps: list[tuple[int, int]], restarts: set[int]
) -> None:
    """For every check that was held back, one went within the period before it, whatever was forgotten meanwhile."""
    station, period = Station(rule), HOUR if rule == "hourly" else DAY
    went: list[Event] = []
    at = timedelta()
    for n, (gap, late) in enumerate(gaps):
        at += timedelta(seconds=gap)
        if n in restarts:
            station = Station(rule)
        one = check(at, late=timedelta(seconds=late))
        if station.takes(one):
            went.append(one)
        else:
            assert one.occurred_at - went[-1].occurred_at < period - slack(period)


async def test_through_the_gateway_counted_with_its_rule_and_again_after_a_restart(house: Open) -> None:
    filters = {"arc": Filter(routine_checks="hourly")}
    station = ScriptedStation()
    async with house([station], filters=filters) as h:
        first, second = await h.post("routine_check"), await h.post("routine_check")
        other = await h.post("routine_check", device="d2")
        await h.settles(first, "arc", "delivered")
        await h.settles(other, "arc", "delivered")
        assert await h.states(second) == {"arc": "filtered"}
        (delivery,) = (await h.store.deliveries_of([second.seq]))[second.seq]
        assert "filter.routine_checks: d1 sent one at" in delivery.reason
        assert [one for one in h.occurrences if isinstance(one, DeliveriesFiltered)] == [DeliveriesFiltered("arc", 1)]
    async with house([station], filters=filters) as h:
        await h.settles(await h.post("routine_check"), "arc", "delivered")


async def test_in_one_batch_only_the_first_goes(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], filters={"arc": Filter(routine_checks="hourly")}) as h:
        made = [submission(EventIn(kind="routine_check", device_id="d1"), "detectors", NOW) for _ in range(3)]
        taken = await h.gateway.intake.accept_many(made)
        assert [one.destinations for one in taken] == [("arc",), (), ()]


async def test_after_a_failed_commit_the_next_one_goes(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    station = ScriptedStation()
    async with house([station], filters={"arc": Filter(routine_checks="daily")}) as h:

        async def fails(arrivals: Any) -> Any:
            raise StoreUnavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(h.store, "accept", fails)
            with pytest.raises(IntakeClosed):
                await h.post("routine_check")
        await h.settles(await h.post("routine_check"), "arc", "delivered")
