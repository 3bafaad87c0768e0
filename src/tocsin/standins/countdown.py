"""Faults that strike a number of times and then no more."""

from typing import Protocol


class Counted(Protocol):
    """`times`: how often still; 0 for ever, below that never again."""

    times: int


def use_up(fault: Counted) -> bool:
    """One stroke. False: none is left."""
    if fault.times < 0:
        return False
    if fault.times:
        fault.times = fault.times - 1 or -1
    return True
