"""The rule of contract.Arrival as a table."""

import pytest
from storekit.values import own

from tocsin.store.contract import StoreError
from tocsin.store.duplicates import Known, Verdict, judge

KEPT = Known(7, "detectors", "d1", b"a")


@pytest.mark.parametrize(
    ("known", "content", "facts", "expected"),
    [
        ([KEPT], "a", {}, Verdict("X", repeats=KEPT)),
        ([KEPT], "b", {}, Verdict("X-b", reused=True)),
        ([KEPT], "a", {"device_id": "d2"}, Verdict("X-a")),
        ([KEPT], "a", {"source": "panels"}, Verdict("X-a")),
        ([Known(8, "panels", "d1", b"a"), KEPT], "a", {}, Verdict("X", repeats=KEPT)),
    ],
    ids=["repeat", "other content", "other device", "other source", "repeat of the second under this id"],
)
def test_rule(known, content, facts, expected):
    assert judge(own("X", content, **facts), known) == expected


def test_without_another_id_it_is_an_error_that_names_the_id():
    from msgspec.structs import replace

    with pytest.raises(StoreError, match="'X' is taken"):
        judge(replace(own("X", "b"), alternate_id=""), [KEPT])
