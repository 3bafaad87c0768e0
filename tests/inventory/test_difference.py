"""What a reading changes, as a pure function: its cost, and what a reading that is not complete may not change."""

from datetime import UTC, datetime

from tests.inventory.conftest import RULES

from tocsin.engine.inventory.difference import compare
from tocsin.engine.inventory.reading import Snapshot
from tocsin.model.canonical import DeviceRecord, KeptDevice, SystemStanding

NOW = datetime(2025, 3, 8, 6, 11, tzinfo=UTC)


class Counted(str):
    """A text that counts how often it is compared or looked up."""

    looks = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()


def record(id_: str, customer: str = "acct-4410") -> DeviceRecord:
    return DeviceRecord(id_, "Camera", "camera", "xp", "camera", "1", customer)


def known(*records: DeviceRecord, missing: int = 0) -> dict[str, KeptDevice]:
    return {one.id: KeptDevice(one, "", NOW, NOW, missing_count=missing) for one in records}


def test_the_work_grows_with_the_devices_not_with_their_square() -> None:
    costs = []
    for count in (100, 400):
        before = known(*(record(Counted(f"xp:camera:{n}")) for n in range(count)), missing=5)
        found = Snapshot({"xp:camera:new": record("xp:camera:new")}, excluded=frozenset(map(Counted, ["xp:camera:7"])))
        Counted.looks = 0
        compared = compare(RULES, before, found, SystemStanding("xp"), NOW, accept_removals=True)
        assert compared.counts.removed == count
        costs.append(Counted.looks)
    assert costs[1] < 6 * costs[0]
