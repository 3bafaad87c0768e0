"""What stands in the log: a sentence first, then what a machine can sort by."""

from typing import Any

from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.occurrences import DestinationWentDown, Trouble
from tocsin.telemetry.record import Occurrence
from tocsin.telemetry.recorder import LoggedMetrics


class Lines:
    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, Any]]] = []

    def log(self, level: int, text: str, **facts: Any) -> None:
        self.written.append((text, facts))


def written(occurrence: Occurrence) -> tuple[str, dict[str, Any]]:
    lines = Lines()
    LoggedMetrics(Metrics(), lines)(occurrence)
    [line] = lines.written
    return line


def test_trouble_is_said_in_its_own_words() -> None:
    told = written(Trouble("source panels", "no receiver can be used"))
    assert told == ("no receiver can be used", {"action": "trouble", "component": "source panels"})


def test_what_always_means_the_same_is_always_said_in_the_same_words() -> None:
    text, facts = written(DestinationWentDown("arc", "192.0.2.5 refuses the connection"))
    assert text == "destination down"
    assert (facts["action"], facts["destination"]) == ("destination_went_down", "arc")
