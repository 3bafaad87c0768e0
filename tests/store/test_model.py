"""Any order of changes leaves the real stores and the simulation's store in dicts in the same state."""

import asyncio
import itertools
import tempfile
from pathlib import Path

import pytest
from harness.memory_store import MemoryStore
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from storekit.values import arrival, at, exchange, outcome, owed, own

from tocsin.model.delivery import DeliveryKey
from tocsin.model.kinds import Lane
from tocsin.store.contract import DeliveryFilter
from tocsin.store.open import open_store

DESTINATIONS = ["arc", "web"]
_numbers = itertools.count(1)

destinations = st.sampled_from(DESTINATIONS)
lanes = st.sampled_from([Lane.ALARM, Lane.ROUTINE])
owing = st.lists(
    st.builds(
        owed,
        destinations,
        lanes,
        state=st.sampled_from(["pending", "held", "rejected", "filtered"]),
        queue=st.sampled_from(["q1", "q2"]),
    ),
    max_size=2,
    unique_by=lambda one: one.destination,
)
keys = st.builds(DeliveryKey, st.integers(1, 8), destinations)
states = st.sampled_from(["pending", "retrying", "delivered", "rejected", "expired"])


class StoreMachine(RuleBasedStateMachine):
    """`place` is set by the test."""

    place = staticmethod(lambda: "")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = MemoryStore()
        self.where = self.place()
        self.leases: list[object] = [None]
        self.tried = itertools.count()
        self._open()

    def _open(self) -> None:
        self.store = open_store(self.where)
        self.runner.run(self.store.open())

    def teardown(self) -> None:
        self.runner.run(self.store.aclose())
        self.runner.close()

    def both(self, call):
        """The same call on both; their answers must agree."""

        async def on(store):
            answer = await call(store)
            return list(answer) if isinstance(answer, tuple) else answer

        real, wanted = self.runner.run(on(self.store)), self.runner.run(on(self.model))
        assert real == wanted
        return real

    @rule(owing=owing)
    def accept(self, owing):
        name = f"G{next(self.tried)}"
        self.both(lambda store: store.accept([arrival(name)] if not owing else [arrival(name, *owing)]))

    @rule(ids=st.lists(st.tuples(st.sampled_from("XY"), st.sampled_from("ab"), st.sampled_from(["d1", "d2"]))))
    def accept_own(self, ids):
        batch = [own(i, c, f"alt{next(self.tried)}", device_id=device) for i, c, device in ids]
        self.both(lambda store: store.accept(batch))

    @rule(chosen=st.lists(st.tuples(keys, states), max_size=4), attempts=st.integers(0, 3), data=st.data())
    def settle(self, chosen, attempts, data):
        lease = data.draw(st.sampled_from(self.leases))
        outcomes = [
            outcome(key.event_seq, key.destination, state, attempts, exchanges=(exchange(attempts),))
            for key, state in chosen
        ]
        self.both(lambda store: store.settle(outcomes, lease))

    @rule(owner=st.sampled_from(["n1", "n2"]), now=st.integers(0, 9))
    def claim(self, owner, now):
        lease = self.both(lambda store: store.claim("arc", owner, 2, at(now)))
        if lease is not None:
            self.leases.append(lease)

    @rule(name=st.sampled_from(["G0", "G1", "X", "none"]))
    def unhold(self, name):
        async def dues(store):
            return sorted(await store.unhold(name), key=lambda due: due.key)

        self.both(dues)

    @rule(key=keys, lane=lanes)
    def resubmit(self, key, lane):
        self.both(lambda store: store.resubmit(key, owed(key.destination, lane, address="#new"), at(7)))

    @rule(key=keys)
    def discard(self, key):
        self.both(lambda store: store.discard(key, "by hand", at(8)))

    @rule(name=st.sampled_from(["G0", "G1", "X"]), text=st.text(st.characters(codec="utf-8"), max_size=5))
    def amend(self, name, text):
        stored = self.both(lambda store: store.event(name))
        if stored is not None:  # source and device are what an event is known by: they never change
            self.both(lambda store: store.amend(replace(stored.event, text=text)))

    @rule(scope=st.sampled_from("ab"), count=st.integers(1, 5))
    def reserve(self, scope, count):
        self.both(lambda store: store.reserve(scope, count))

    @rule()
    def reopen(self):
        self.runner.run(self.store.aclose())
        self._open()

    @invariant()
    def the_same_is_due(self):
        for destination, lane in itertools.product(DESTINATIONS, Lane):
            for more in ({}, {"queue": "q1"}, {"without": ["q1"]}, {"after": 2, "limit": 1}):
                wanted = {"after": 0, "limit": 100, **more}
                self.both(lambda store, d=destination, n=lane, w=wanted: store.due(d, n, **w))
            self.both(lambda store, d=destination: store.backlog(d))

    @invariant()
    def the_same_is_shown(self):
        for wanted in (DeliveryFilter(limit=1000), DeliveryFilter(1000, destination="arc", states=frozenset(["held"]))):

            async def shown(store, wanted=wanted):
                return sorted(await store.deliveries(wanted), key=lambda one: one.key)

            self.both(shown)


@pytest.mark.parametrize(("engine", "examples"), [("sqlite", 20), ("postgres", 6)])
def test_same_as_in_dicts(engine, examples, request):
    if engine == "postgres":
        server = request.getfixturevalue("postgres_server")
        StoreMachine.place = staticmethod(lambda: server.new_schema(f"model{next(_numbers)}"))
        run_state_machine_as_test(StoreMachine, settings=_modest(examples))
        return
    with tempfile.TemporaryDirectory() as folder:
        StoreMachine.place = staticmethod(lambda: str(Path(folder, f"{next(_numbers)}.db")))
        run_state_machine_as_test(StoreMachine, settings=_modest(examples))


def _modest(examples):
    return settings(
        max_examples=examples, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
