"""How the store's ups and downs become log lines and metrics."""

from msgspec import Struct

from tocsin.telemetry.occurrences import Committed, StoreCameBack, StoreWentDown, Trouble
from tocsin.telemetry.record import Recorder


class RecordedWatch(Struct, frozen=True):
    """tocsin.store.surroundings.Watch, as occurrences: the store and telemetry do not know each other."""

    record: Recorder

    def went_down(self, reason: str) -> None:
        self.record(StoreWentDown(reason))

    def came_back(self, down_s: float) -> None:
        self.record(StoreCameBack(down_s))

    def committed(self, seconds: float, operations: int) -> None:
        self.record(Committed(seconds, operations))

    def trouble(self, text: str) -> None:
        self.record(Trouble("store", text))
