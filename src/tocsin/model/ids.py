"""ULIDs: sortable event identifiers (26 characters, Crockford's base 32)."""

from collections.abc import Callable

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_RANDOM_BITS = 80
_SHIFTS = tuple(range(120, -1, -10))


def ulid(milliseconds: int, randomness: int) -> str:
    """The ULID of a Unix time in milliseconds and 80 random bits."""
    value = (milliseconds << _RANDOM_BITS) | (randomness & ((1 << _RANDOM_BITS) - 1))
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])


class UlidSource:
    """Gives strictly rising ULIDs, also within one millisecond and when the clock steps back."""

    def __init__(self, milliseconds: Callable[[], int], random_bits: Callable[[int], int]) -> None:
        self._milliseconds = milliseconds
        self._random_bits = random_bits
        self._last_ms = -1
        self._tail = 0
        self._head = ""

    def __call__(self) -> str:
        now = self._milliseconds()
        if now > self._last_ms:
            self._last_ms, self._tail, self._head = now, self._random_bits(_RANDOM_BITS - 1), ""
        else:
            self._tail += 1
        last_pair = self._tail & 1023
        if not self._head or not last_pair:  # all but the last pair stays while only the tail counts up
            self._head = ulid(self._last_ms, self._tail)[:-2]
        return self._head + _PAIRS[last_pair]
