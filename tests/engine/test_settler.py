"""What attempts changed is written in the end, whatever the store or a strange answer does."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.engine.settler import Settler
from tocsin.model.delivery import DeliveryKey, Exchange, Outcome
from tocsin.store.contract import Lease, StoreUnavailable

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)


class Outbox:
    """Keeps outcomes as the contract says: all or none by the lease's epoch."""

    def __init__(self) -> None:
        self.epoch = 1
        self.kept: list[Outcome] = []
        self.down = 0

    async def settle(self, outcomes: Sequence[Outcome], lease: Lease | None) -> Sequence[DeliveryKey]:
        await asyncio.sleep(0)
        if self.down:
            self.down -= 1
            raise StoreUnavailable("down")
        if any("\ud800" in exchange.answer for one in outcomes for exchange in one.exchanges):
            raise UnicodeEncodeError("utf-8", "", 0, 1, "surrogates not allowed")
        if lease is None or lease.epoch != self.epoch:
            return []
        self.kept += outcomes
        return [one.key for one in outcomes]


def outcome(seq: int, answer: str = "ACK") -> Outcome:
    exchange = Exchange(NOW, "station:1", "delivered", answer=answer)
    return Outcome(DeliveryKey(seq, "arc"), "delivered", 1, NOW, exchanges=(exchange,))


def lease(epoch: int) -> Lease:
    return Lease("destination/arc", "node", epoch, NOW + timedelta(seconds=2))


@asynccontextmanager
async def settling(outbox: Outbox, leases: list[Lease]) -> Any:
    told: list[tuple[list[int], list[int]]] = []

    def settled(dealt_with: Sequence[Outcome], written: Sequence[Outcome]) -> None:
        told.append(([one.key.event_seq for one in dealt_with], [one.key.event_seq for one in written]))

    settler = Settler(outbox, lambda: leases.pop(0) if len(leases) > 1 else leases[0], settled)  # type: ignore[arg-type]
    running = asyncio.create_task(settler.run())
    try:
        yield settler, told
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_an_outage_is_waited_out() -> None:
    outbox = Outbox()
    outbox.down = 2
    async with settling(outbox, [lease(1)]) as (settler, told):
        settler.add(outcome(1))
        await settler.drained()
        assert told == [([1], [1])]


async def test_an_exchange_the_store_cannot_keep_costs_the_exchange_only() -> None:
    outbox = Outbox()
    async with settling(outbox, [lease(1)]) as (settler, _):
        for seq in (1, 2, 3):
            settler.add(outcome(seq, "\ud800" if seq == 2 else "ACK"))
        await settler.drained()
        assert [(one.key.event_seq, one.state, len(one.exchanges)) for one in outbox.kept] == [
            (1, "delivered", 1),
            (2, "delivered", 0),
            (3, "delivered", 1),
        ]


async def test_what_this_node_fenced_off_by_its_own_new_lease_is_written_under_that() -> None:
    outbox = Outbox()
    outbox.epoch = 2
    async with settling(outbox, [lease(1), lease(2)]) as (settler, told):
        settler.add(outcome(1))
        await settler.drained()
        assert told == [([1], [1])]


async def test_what_belongs_to_another_node_now_is_left_and_not_told() -> None:
    outbox = Outbox()
    outbox.epoch = 7
    async with settling(outbox, [lease(1)]) as (settler, told):
        settler.add(outcome(1))
        await settler.drained()
        assert (told, outbox.kept) == ([([1], [])], [])
