"""What disarming means: which events are withheld, when a disarm ends, what falls due by itself. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from tocsin.engine.arming import Armings, DueOrder, due_order, end_of_disarm
from tocsin.engine.arming_schedule import Phase
from tocsin.model.command import Arming
from tocsin.model.event import Event
from tocsin.store.contract import Store

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def h(hours: float) -> datetime:
    """Hours after noon."""
    return NOON + timedelta(hours=hours)


def event(at: float, kind: str = "motion", **facts: Any) -> Event:
    made = Event("E", kind, h(at), h(at), "detectors", device_id="d1")  # type: ignore[arg-type]
    return replace(made, **facts)


def withheld(arming: Arming | None, one: Event) -> str:
    armings = Armings(cast("Store", None))
    if arming is not None:
        armings.put(arming)
    return armings.withheld(one)


DISARMED = Arming("d1", False, h(1), h(3), changed_by="control:arc")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (event(2), "disarmed: by control:arc until 2026-03-04 15:00 UTC"),
        (event(2, state="still"), "disarmed: by control:arc until 2026-03-04 15:00 UTC"),
        (event(1), "disarmed: by control:arc until 2026-03-04 15:00 UTC"),
        (event(0.9), ""),
        (event(3), ""),
        (event(2, occurred_at=h(0.5)), ""),  # from before the disarm, handed over late
        (event(2, occurred_at=h(9)), ""),  # a clock that is wrong: in doubt it is forwarded
        (event(2, state="restore"), ""),  # its alarm may have been forwarded
        (event(2, flags=("test",)), ""),
        (event(2, device_id="d2"), ""),
        *((event(2, kind), "") for kind in ("tamper", "routine_check", "battery_low", "burglary", "snapshot")),
    ],
)
def test_only_the_motion_of_a_disarmed_device_is_withheld(one: Event, expected: str) -> None:
    assert withheld(DISARMED, one) == expected


def test_armed_by_default_and_disarmed_without_end() -> None:
    assert withheld(None, event(2)) == ""
    assert withheld(Arming("d1", True, h(1)), event(2)) == ""
    assert withheld(replace(DISARMED, until=None), event(9000)) == "disarmed: by control:arc"


def test_a_fetched_order_to_arm_ends_the_doubtless_part() -> None:
    armings = Armings(cast("Store", None))
    armings.put(DISARMED)
    armings.end_disarm("d1", h(2))
    armings.end_disarm("d1", h(2.5))
    armings.end_disarm("nobody", h(2))
    assert armings.get("d1") == replace(DISARMED, until=h(2))
    assert armings.withheld(event(2)) == ""


DAY = Phase(False, h(-6), h(6), h(6))
NIGHT = Phase(True, h(-6), h(6), h(18))
ALWAYS = Phase(True, None, None, None)


@pytest.mark.parametrize(
    ("duration_s", "no_time_limit", "phase", "expected"),
    [
        (None, False, None, None),
        (3600, False, None, h(1)),
        (None, True, DAY, None),
        (None, False, DAY, h(6)),
        (3600, False, DAY, h(1)),
        (86400, False, DAY, h(6)),
        (None, False, NIGHT, h(18)),
        (None, False, ALWAYS, None),
    ],
)
def test_when_a_disarm_is_over(
    duration_s: int | None, no_time_limit: bool, phase: Phase | None, expected: datetime | None
) -> None:
    assert end_of_disarm(NOON, duration_s, no_time_limit, phase) == expected


def at(armed: bool, since: float, until: float | None = None, no_time_limit: bool = False) -> Arming:
    return Arming("d1", armed, h(since), None if until is None else h(until), no_time_limit)


@pytest.mark.parametrize(
    ("arming", "phase", "expected"),
    [
        (None, None, None),
        (at(False, -1), None, None),
        (at(False, -1, 1), None, None),
        (at(False, -2, -1), None, DueOrder("arm", h(-1), "the end of the disarm")),
        (at(False, -2, 0), DAY, DueOrder("arm", h(0), "the end of the disarm")),
        # the schedule: what it says now, if nobody said otherwise since it began to say so
        (None, DAY, DueOrder("disarm", h(-6), "the schedule", h(6))),
        (None, NIGHT, None),
        (at(True, -9), DAY, DueOrder("disarm", h(-6), "the schedule", h(6))),
        (at(True, -6), DAY, None),
        (at(True, -1), DAY, None),
        (at(False, -9), NIGHT, DueOrder("arm", h(-6), "the schedule", h(6))),
        (at(False, -1, 18), NIGHT, None),
        (at(False, -9, None, True), NIGHT, None),
        (at(False, -1), ALWAYS, None),
    ],
)
def test_what_falls_due_by_itself(arming: Arming | None, phase: Phase | None, expected: DueOrder | None) -> None:
    assert due_order(arming, phase, NOON) == expected
