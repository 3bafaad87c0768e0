"""The window over the outbox against a plain list: nothing lost, nothing twice, in order per queue, bounded."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.engine.window import PER_LANE, PER_QUEUE, LaneWindow
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Event
from tocsin.model.kinds import Lane

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
EVENT = Event("e", "motion", NOW, NOW, "test")


def due(seq: int, queue: str) -> Due:
    return Due(DeliveryKey(seq, "arc"), Lane.ALARM, "#1", queue, 0, EVENT)


class Disk:
    """The outbox: committed, open deliveries in order."""

    def __init__(self) -> None:
        self.open: dict[int, Due] = {}
        self.seq = 0

    def commit(self, queue: str) -> Due:
        self.seq += 1
        self.open[self.seq] = due(self.seq, queue)
        return self.open[self.seq]

    def read(self, after: int, limit: int, queue: str | None = None, without: list[str] | None = None) -> list[Due]:
        rows = [
            one
            for seq, one in sorted(self.open.items())
            if seq > after and (queue is None or one.queue == queue) and one.queue not in (without or [])
        ]
        return rows[:limit]


def fill(window: LaneWindow, disk: Disk, limit: int = 5) -> None:
    """What the pump's reading does, until there is nothing to read."""
    while window.wants_load(idle=False):
        window.load(disk.read(window.cursor, limit, without=window.left_out()), limit)
    while wanted := window.wants_refill():
        for name, after, mark in wanted:
            window.refill(name, disk.read(after, limit, queue=name), mark)


def serve(window: LaneWindow, disk: Disk, queue: str, sent: list[Due]) -> None:
    head = window.head(queue)
    if head is not None:
        sent.append(head)
        window.remove(head.key)
        disk.open.pop(head.key.event_seq, None)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.sampled_from("abc"), st.integers(1, 150)),
        st.tuples(st.just("serve"), st.sampled_from("abc"), st.integers(1, 100)),
        st.tuples(st.just("fill"), st.just(""), st.just(0)),
        st.tuples(st.just("deaf"), st.sampled_from("abc"), st.integers(1, 100)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_everything_is_sent_once_in_order_per_queue(script: list[tuple[str, str, int]]) -> None:
    window, disk, sent = LaneWindow(), Disk(), list[Due]()
    for what, queue, count in script:
        if what == "commit":
            for _ in range(count):
                window.offer(disk.commit(queue))
        elif what == "deaf":
            # Committed before the window existed or while it read: the offer comes after a reading that found it.
            late = [disk.commit(queue) for _ in range(count)]
            fill(window, disk)
            for one in late:
                window.offer(one)
        elif what == "serve":
            for _ in range(count):
                serve(window, disk, queue, sent)
        else:
            fill(window, disk)
        assert len(window) <= PER_LANE + PER_QUEUE * 3
    while disk.open:
        fill(window, disk)
        before = len(sent)
        for queue in "abc":
            serve(window, disk, queue, sent)
        assert len(sent) > before, "something on disk is never offered"
    keys = [one.key.event_seq for one in sent]
    assert sorted(keys) == list(range(1, disk.seq + 1))
    for queue in "abc":
        mine = [one.key.event_seq for one in sent if one.queue == queue]
        assert mine == sorted(mine)


def test_one_full_queue_does_not_starve_another() -> None:
    window, disk = LaneWindow(), Disk()
    for _ in range(5000):
        disk.commit("slow")
    other = disk.commit("other")
    fill(window, disk, limit=500)
    assert window.head("other") == other
    assert len(window) == PER_QUEUE + 1


def test_a_commit_during_a_reading_is_found_by_the_next() -> None:
    window, disk = LaneWindow(), Disk()
    disk.commit("a")
    found = disk.read(window.cursor, 10, without=window.left_out())
    missed = disk.commit("b")
    window.offer(missed)
    window.load(found, 10)
    assert window.behind
    fill(window, disk)
    assert window.head("b") == missed
    assert not window.behind


def test_opened_again_while_the_lane_is_read_it_is_in_memory_once() -> None:
    window, disk = LaneWindow(), Disk()
    for _ in range(10):
        disk.commit("a")
    window.requeue(disk.open[5])
    fill(window, disk)
    assert len(window) == 10
    sent: list[Due] = []
    for _ in range(12):
        serve(window, disk, "a", sent)
    assert sorted(one.key.event_seq for one in sent) == list(range(1, 11))


def test_opened_again_with_another_address_it_leaves_its_old_queue() -> None:
    window, disk = LaneWindow(), Disk()
    one = disk.commit("old")
    fill(window, disk)
    assert window.requeue(due(one.key.event_seq, "new")) == "new"
    assert (window.head("old"), len(window)) == (None, 1)


def test_what_has_ended_is_passed_over_and_reading_goes_on_behind_it() -> None:
    window, disk = LaneWindow(), Disk()
    for _ in range(12):
        disk.commit("a")
    ended = {disk.open[seq].key for seq in range(1, 11)}
    for _ in range(3):
        window.load(disk.read(window.cursor, 5, without=window.left_out()), 5, ended)
    assert not window.behind
    head = window.head("a")
    assert head is not None
    assert head.key.event_seq == 11
    assert len(window) == 2


def test_removing_a_head_names_the_queue_that_comes_up() -> None:
    window, disk = LaneWindow(), Disk()
    first, second = disk.commit("a"), disk.commit("a")
    fill(window, disk)
    assert window.remove(second.key) is None
    assert window.remove(first.key) is None
    third, _ = disk.commit("a"), disk.commit("a")
    fill(window, disk)
    window.look()
    disk.open.pop(1), disk.open.pop(2)
    fill(window, disk)
    assert window.remove(third.key) == "a"
