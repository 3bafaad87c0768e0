"""What came in is counted per source and kind, a batch at once, repeats not."""

from datetime import UTC, datetime

from tests.engine.conftest import Open

from tocsin.engine.contracts import Submission
from tocsin.model.event import Event
from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.occurrences import EventAccepted

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)


def said(kind: str, key: bytes) -> Submission:
    return Submission(Event("", kind, NOW, NOW, "panels"), repeat_key=key, repeat_window_s=90.0)


async def test_a_batch_is_counted_by_source_and_kind(house: Open) -> None:
    async with house([]) as h:
        metrics = Metrics()
        batch = [said("fire", b"1"), said("fire", b"2"), said("panic", b"3"), said("fire", b"1")]
        await h.gateway.intake.accept_many(batch)
        for one in h.occurrences:
            metrics.move(one)
        counted = [one for one in h.occurrences if isinstance(one, EventAccepted) and one.source == "panels"]
        assert counted == [EventAccepted("panels", "fire", 2), EventAccepted("panels", "panic", 1)]
        assert b'tocsin_events_accepted_total{kind="fire",source="panels"} 2.0' in metrics.text()
