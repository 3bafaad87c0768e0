"""ULIDs: their form, and that they rise."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.ids import UlidSource, ulid

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _read(text: str) -> int:
    value = 0
    for char in text:
        value = value * 32 + DIGITS.index(char)
    return value


def test_a_known_one() -> None:
    assert ulid(0, 0) == "0" * 26
    assert ulid(1469918176385, 0) == "01ARYZ6S41" + "0" * 16
    assert ulid((1 << 48) - 1, (1 << 80) - 1) == "7" + "Z" * 25


@given(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 80) - 1))
@settings(max_examples=100)
def test_it_holds_time_and_randomness(milliseconds: int, randomness: int) -> None:
    text = ulid(milliseconds, randomness)
    assert len(text) == 26
    assert _read(text) == milliseconds << 80 | randomness


TAILS = st.integers(0, (1 << 79) - 1) | st.integers(0, 3).map(lambda steps: (1 << 79) - 1 - steps)
TAILS |= st.integers(0, 1022).map(lambda low: (low << 10) - 1 if low else 0)


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 4)), max_size=30), st.lists(TAILS, min_size=30))
@settings(max_examples=100)
def test_the_source_gives_what_counting_up_gives(steps: list[tuple[int, int]], tails: list[int]) -> None:
    """Each step moves the clock, also backwards, and takes some identifiers."""
    clock, drawn = [1_700_000_000_000], list(tails)
    source = UlidSource(lambda: clock[0], lambda bits: drawn.pop(0) if bits == 79 else 0)
    last, tail, taken = -1, 0, []
    for step, count in steps:
        clock[0] += step
        for _ in range(count):
            last, tail = (clock[0], drawn[0]) if clock[0] > last else (last, tail + 1)
            found = source()
            assert found == ulid(last, tail)
            taken.append(found)
    assert taken == sorted(set(taken))


def test_more_than_a_last_pair_holds_in_one_millisecond() -> None:
    source = UlidSource(lambda: 5, lambda _: 1000)
    assert [source() for _ in range(3000)] == [ulid(5, 1000 + n) for n in range(3000)]
