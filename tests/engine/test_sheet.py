"""The sheet: what a destination would do with a device's events, whatever they turn out to be."""

import pytest

from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import ORIGIN_TAG, Addressed
from tocsin.engine.devices import DeviceBook
from tocsin.engine.routing import Filter, Route
from tocsin.engine.sheet import AddressAs, Entry, Sheet
from tocsin.model.device import Area, Device
from tocsin.model.event import Event

DEVICE = Device("cam", area="Yard", addresses={"arc": None, "gone": None})  # type: ignore[dict-item]
FOUND = Addressed("#9280", "9280", ORIGIN_TAG, warning="a tag that cannot be read")


def sheet(wanted: Filter, *answers: Addressed) -> Sheet:
    """Destinations `arc`, `arc2` … that answer so."""

    def answering(answer: Addressed) -> AddressAs:
        def address(event: Event, device: Device | None) -> Addressed:
            assert device is not None
            return answer

        return address

    names = ["arc", "arc2"]
    asked = [(Route(name, wanted, lambda _: FOUND), answering(one)) for name, one in zip(names, answers, strict=False)]
    book = DeviceBook(None, AreaTree([Area("North"), Area("Yard", "North")]), [])  # type: ignore[arg-type]
    return Sheet(book, LoopClock(), asked)


@pytest.mark.parametrize(
    ("wanted", "told", "reason"),
    [
        (Filter(), True, ""),
        (Filter(kinds=frozenset({"battery_low"})), True, ""),
        (Filter(actors=frozenset({"person"})), True, ""),
        (Filter(sources=frozenset({"panels"})), True, ""),
        (Filter(areas=frozenset({"South"})), False, "filter.areas: Yard is not in South"),
        (Filter(exclude_areas=frozenset({"North"})), False, "filter.exclude_areas: Yard is excluded, it lies in North"),
    ],
)
def test_told_means_that_something_of_the_device_is_wanted(wanted: Filter, told: bool, reason: str) -> None:
    (entry,) = sheet(wanted, FOUND).entries(DEVICE)
    assert (entry.told, entry.reason) == (told, reason)
    assert entry.address == ("#9280" if told else "")
    assert entry.warning == "a tag that cannot be read", "said even where the device is not wanted"


def test_warnings_are_said_once_with_all_they_concern() -> None:
    made = sheet(Filter(), FOUND, Addressed(problem="no address", warning="a tag that cannot be read"))
    entries = made.entries(DEVICE)
    assert entries[1] == Entry("arc2", True, problem="no address", warning="a tag that cannot be read")
    assert made.warnings(DEVICE, entries) == [
        "arc, arc2: a tag that cannot be read",
        "arc2: no address",
        "addresses: there is no destination 'gone'",
    ]
