"""Metrics that move with every event: plain sums, made into what the client library prints when somebody reads them.

The library's own take a lock for each of several values per movement. These are moved on the event loop only, and may
be read from another thread. What they say of themselves has the names the library's use: docs/generate.py reads both.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
"""The values, in the order of the label names."""


class Tally(Collector):
    """A counter for each combination of labels."""

    _type = "counter"

    def __init__(self, name: str, text: str, names: Sequence[str], registry: CollectorRegistry) -> None:
        self._name, self._documentation, self._labelnames = name, text, names
        self._sums: dict[Labels, int] = {}
        registry.register(self)

    def add(self, labels: Labels, amount: int = 1) -> None:
        self._sums[labels] = self._sums.get(labels, 0) + amount

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labelnames)
        for labels, amount in list(self._sums.items()):
            family.add_metric(labels, amount)
        yield family


class Spread(Collector):
    """A histogram for each combination of labels. `bounds` are the upper ends of its buckets, without the last."""

    _type = "histogram"

    def __init__(
        self, name: str, text: str, names: Sequence[str], bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._documentation, self._labelnames = name, text, names
        self._bounds = tuple(bounds)
        self._ends = [_printed(bound) for bound in (*bounds, float("inf"))]
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        if not names:
            self._begin(())
        registry.register(self)

    def add(self, labels: Labels, value: float) -> None:
        counts = self._counts.get(labels) or self._begin(labels)
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[labels] += value

    def _begin(self, labels: Labels) -> list[int]:
        counts = self._counts[labels] = [0] * len(self._ends)
        self._sums[labels] = 0.0
        return counts

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        for labels, total in list(self._sums.items()):
            family.add_metric(labels, self._buckets(labels), total)
        yield family

    def _buckets(self, labels: Labels) -> list[tuple[str, float]]:
        """Each bucket holds those below it too."""
        below, buckets = 0, []
        for end, count in zip(self._ends, list(self._counts[labels]), strict=True):
            below += count
            buckets.append((end, float(below)))
        return buckets


def _printed(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]
