"""How a change or a question to the store is written down once for both engines: as a plan, a generator of steps.

A plan yields one step at a time and is sent the rows it found; what it returns is the answer. The engine that runs it
does the input and output, inside one transaction. A plan never sees a connection, a thread or a loop.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from msgspec import Struct

Row = tuple[Any, ...]
T = TypeVar("T")


class Query(Struct, frozen=True):
    """One named query. A list among the values is one parameter: many texts, numbers, or tuples of numbers.

    `conditions` replace `{where}` in the query's text, joined by AND; their question marks come first in `values`.
    """

    name: str
    values: tuple[Any, ...] = ()
    conditions: tuple[str, ...] = ()


class Bulk(Struct, frozen=True):
    """One named change made for many rows."""

    name: str
    rows: Sequence[Row]


Steps = Generator[Query | Bulk, list[Row], T]


class Operation(Struct, frozen=True):
    """One caller's change. Waiting operations with the same plan are handed to it together, in the order they came.

    `weight` is about the number of rows it writes, or of KiB.
    """

    plan: Callable[[Sequence[Any]], Steps[Sequence[Any]]]
    payload: Any
    weight: int = 1
    cautious: Callable[[Sequence[Any]], Steps[Sequence[Any]]] | None = None
    """The plan to take when the shared transaction met a conflict and each operation is done by itself."""


def each(plan: Callable[[Any], Steps[T]]) -> Callable[[Sequence[Any]], Steps[Sequence[T]]]:
    """A plan for one payload as a plan for many, one after the other."""

    def one_after_the_other(payloads: Sequence[Any]) -> Steps[Sequence[T]]:
        answers = []
        for payload in payloads:
            answers.append((yield from plan(payload)))
        return answers

    return one_after_the_other


def alone(operation: Operation) -> Steps[Any]:
    """One operation in a transaction of its own, after a conflict."""
    answers = yield from (operation.cautious or operation.plan)([operation.payload])
    return answers[0]


def together(operations: Sequence[Operation]) -> Steps[list[Any]]:
    """All operations of one transaction, those with the same plan at once; answers in the order of `operations`."""
    groups: dict[Callable[..., Any], list[int]] = {}
    for place, operation in enumerate(operations):
        groups.setdefault(operation.plan, []).append(place)
    answers: list[Any] = [None] * len(operations)
    for plan, places in groups.items():
        found = yield from plan([operations[place].payload for place in places])
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
    return answers
