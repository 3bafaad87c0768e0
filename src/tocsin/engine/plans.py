"""What routing decided for events of the same make, remembered: most of them differ in time and text only."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.engine.devices import DeviceBook
from tocsin.engine.routing import Route, Verdict, judge, owed_at_once
from tocsin.model.delivery import Owed
from tocsin.model.event import Event
from tocsin.model.kinds import lane_of

MOST = 20_000


class Planned(Struct, frozen=True):
    """One destination's share. `owed`: what is stored if nothing is waited for; `scope`: its counter, "" for none."""

    route: Route
    verdict: Verdict
    owed: Owed
    scope: str = ""


class Plans:
    """Verdicts by what they may depend on (engine/contracts.py, Destination.address). New devices make all anew."""

    def __init__(self, routes: Sequence[Route], devices: DeviceBook) -> None:
        self._routes = routes
        self._devices = devices
        self._looks_at_actors = any(route.filter.actors is not None or route.filter.min_confidence for route in routes)
        self._made: dict[object, Sequence[Planned]] = {}
        self._version = devices.version

    def of(self, event: Event) -> Sequence[Planned]:
        """Every destination's share of an event."""
        if not self._routes:
            return ()
        if event.notice is not None or (event.kind == "motion" and self._looks_at_actors):
            return self._plan(event)
        if self._version != self._devices.version or len(self._made) >= MOST:
            self._made.clear()
            self._version = self._devices.version
        area = event.place.area
        key = (event.kind, event.state, event.device_id, event.source, area, event.address, event.code)
        plan = self._made.get(key)
        if plan is None:
            plan = self._plan(event)
            if not any(planned.verdict.addressed.problem for planned in plan):
                self._made[key] = plan
        return plan

    def _plan(self, event: Event) -> Sequence[Planned]:
        lineage = self._devices.areas.lineage(event.place.area)
        return [planned(route, judge(route, event, lineage), event) for route in self._routes]


def planned(route: Route, verdict: Verdict, event: Event) -> Planned:
    """A verdict with what it makes the gateway owe."""
    if not verdict.yes:
        return Planned(route, verdict, Owed(route.name, lane_of(event.kind), "filtered", reason=verdict.reason))
    owed = owed_at_once(route, verdict, event)
    counter = verdict.addressed.counter if owed.state == "pending" else ""
    return Planned(route, verdict, owed, f"{route.name}/{counter}" if counter else "")
