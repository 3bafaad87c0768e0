"""Metrics of our own are printed as the client library prints its own."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from tocsin.telemetry.tallies import Spread, Tally

disable_created_metrics()  # type: ignore[no-untyped-call]
LABELS = st.tuples(st.text(max_size=3), st.sampled_from(["delivered", 'a "\n\\']))
BOUNDS = (0.005, 0.5, 1.0, 3600.0)


@given(st.lists(st.tuples(LABELS, st.integers(0, 1000)), max_size=8))
def test_a_tally_is_a_counter(moves: list[tuple[tuple[str, str], int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = Tally("moves", "What moved", ["destination", "outcome"], ours)
    counter = Counter("moves", "What moved", ["destination", "outcome"], registry=theirs)
    for labels, amount in moves:
        tally.add(labels, amount)
        counter.labels(*labels).inc(amount)
    assert generate_latest(ours) == generate_latest(theirs)


@given(st.lists(st.tuples(LABELS, st.floats(0, 1e6) | st.sampled_from(BOUNDS)), max_size=8))
def test_a_spread_is_a_histogram(seen: list[tuple[tuple[str, str], float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread("waits", "How long", ["destination", "outcome"], BOUNDS, ours)
    histogram = Histogram("waits", "How long", ["destination", "outcome"], buckets=BOUNDS, registry=theirs)
    for labels, value in seen:
        spread.add(labels, value)
        histogram.labels(*labels).observe(value)
    assert generate_latest(ours) == generate_latest(theirs)


def test_a_spread_without_labels_is_there_from_the_start() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Spread("commits", "How long", [], BOUNDS, ours)
    Histogram("commits", "How long", [], buckets=BOUNDS, registry=theirs)
    assert generate_latest(ours) == generate_latest(theirs)
