"""Whose turn it is, and when a link may be tried."""

from tocsin.engine.backoff import Retry, delay_s
from tocsin.engine.link import Link
from tocsin.engine.schedule import Schedule
from tocsin.model.kinds import Lane


def test_an_alarm_overtakes_and_no_queue_is_served_twice_at_once() -> None:
    schedule = Schedule()
    schedule.mark(Lane.ROUTINE, "a")
    schedule.mark(Lane.STATUS, "b")
    schedule.mark(Lane.ALARM, "a")
    assert schedule.take(0) == (Lane.ALARM, "a")
    assert schedule.take(0) == (Lane.STATUS, "b")
    assert schedule.take(0) is None
    schedule.release("a")
    assert schedule.take(0) == (Lane.ROUTINE, "a")


def test_a_waiting_queue_comes_back_when_its_time_has_come() -> None:
    schedule = Schedule()
    schedule.mark(Lane.ALARM, "a")
    assert schedule.take(0) == (Lane.ALARM, "a")
    schedule.wait(Lane.ALARM, "a", 5.0)
    schedule.release("a")
    assert schedule.take(4.9) is None
    assert schedule.next_due() == 5.0
    assert schedule.take(5.0) == (Lane.ALARM, "a")


def test_a_mark_ends_the_waiting() -> None:
    schedule = Schedule()
    schedule.wait(Lane.ALARM, "a", 60.0)
    schedule.mark(Lane.ALARM, "a")
    assert schedule.take(0) == (Lane.ALARM, "a")
    assert schedule.next_due() is None


def test_a_blocked_link_lets_one_probe_through_when_its_time_has_come() -> None:
    link = Link(Retry())
    assert link.may_try(0)
    link.unreachable(0, "refused", 0.5)
    assert link.down_since == 0
    assert not link.may_try(0.9)
    assert link.may_try(1.0)
    assert not link.may_try(1.0), "only one probe at a time"
    link.unreachable(1.0, "refused", 0.5)
    assert not link.may_try(2.9)
    assert link.may_try(3.0)
    assert link.worked(3.1) == 3.1
    assert link.may_try(3.1)


def test_failures_that_were_under_way_together_count_once() -> None:
    link = Link(Retry())
    for _ in range(8):
        link.unreachable(10.0, "refused", 0.5)
    assert link.failures == 1


def test_a_new_alarm_brings_the_probe_forward() -> None:
    link = Link(Retry())
    now = 0.0
    for _ in range(8):
        link.unreachable(now, "refused", 0.5)
        now = link.next_try() or now
    last = now - 60
    link.alarm(last + 20)
    assert link.next_try() == last + 20
    link2 = Link(Retry())
    link2.unreachable(100.0, "refused", 1.0)
    link2.alarm(100.1)
    assert link2.next_try() == 101.0


def test_deliveries_that_fail_in_a_row_make_a_link_down_but_not_blocked() -> None:
    link = Link(Retry())
    for at in (1.0, 2.0, 3.0):
        assert link.down_since is None
        link.failed(at, "silent")
    assert link.down_since == 3.0
    assert link.may_try(3.0)


def test_the_ladder() -> None:
    steps = [delay_s(Retry(), failures, 0.5) for failures in range(1, 10)]
    assert steps == [1, 2, 5, 10, 20, 40, 60, 60, 60]
    assert delay_s(Retry(), 9, 0.0) == 48
    assert round(delay_s(Retry(), 9, 1.0), 6) == 72
    assert delay_s(Retry(longest_s=3), 9, 0.5) == 3
