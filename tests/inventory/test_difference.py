"""What a reading changes, as a pure function: its cost, and what a reading that is not complete may not change."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
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


def test_a_reading_that_is_not_complete_moves_no_device_and_leaves_none_out_by_rule() -> None:
    """What a rule looks at, such as the location, may be just what could not be read."""
    before = known(record("xp:camera:1", "acct-1"), record("xp:camera:2", "acct-1"), record("xp:camera:3", "acct-1"))
    records = {id_: record(id_, "acct-2") for id_ in ("xp:camera:1", "xp:camera:4")}
    for doubts in ((), ("camera groups could not be read",)):
        found = Snapshot(records, excluded=frozenset({"xp:camera:2"}), doubts=doubts, seen=3)
        compared = compare(RULES, before, found, SystemStanding("xp"), NOW)
        lost = [(one.record.id, one.record.customer_id, one.removal is not None) for one in compared.changed]
        added = ("xp:camera:4", "acct-2", False)
        if doubts:
            assert lost == [added]
            assert [(line.what, line.id) for line in compared.differences] == [
                ("+", "xp:camera:4"),
                ("?", "xp:camera:1"),
                ("?", "xp:camera:2"),
                ("?", "xp:camera:3"),
            ]
        else:
            assert lost[:3] == [("xp:camera:1", "acct-2", False), added, ("xp:camera:2", "acct-1", True)]
            assert compared.changed[0].left[0].customer_id == "acct-1"


def test_a_type_that_is_no_longer_wanted_goes_even_if_the_reading_was_not_complete() -> None:
    microphone = DeviceRecord("xp:microphone:9", "Mic", "audio", "xp", "microphone", "9", "acct-4410")
    rules = replace(RULES, include_types=frozenset({"camera"}))
    found = Snapshot({}, excluded=frozenset({"xp:microphone:9"}), doubts=("page 7 failed",), seen=1)
    compared = compare(rules, known(microphone), found, SystemStanding("xp"), NOW)
    assert [one.removal is not None for one in compared.changed] == [True]


def test_what_is_as_it_was_is_not_written_again() -> None:
    """A hundred thousand rows in one transaction would hold up every alarm behind them."""
    found = Snapshot({"xp:camera:1": record("xp:camera:1")}, seen=1)
    first = compare(RULES, {}, found, SystemStanding("xp"), NOW)
    (kept,) = first.changed
    assert compare(RULES, {"xp:camera:1": kept}, found, first.standing, NOW + timedelta(hours=6)).changed == []
