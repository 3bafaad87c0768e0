"""Which destinations an event goes to, and for every no the rule that said it. Pure."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.contracts import Addressed
from tocsin.model.delivery import Owed
from tocsin.model.event import Event, HealthNotice
from tocsin.model.kinds import VEHICLES, Lane, lane_of

RoutineRule = Literal["all", "period", "hourly", "daily", "off"]
"""Routine checks: each, at most one per device and its own period, hour or day, or none."""


class Filter(Struct, frozen=True):
    """What a destination wants (stations.md 10). None: everything; the default for kinds leaves out `snapshot`.

    `actors` concerns motion only: one listed class is enough, `vehicle` stands for every vehicle class. `areas`
    includes the areas below them. `routine_checks` concerns that kind only; how often one goes is engine/routine.py's.
    """

    kinds: frozenset[str] | None = None
    exclude_kinds: frozenset[str] = frozenset()
    states: frozenset[str] | None = None
    routine_checks: RoutineRule = "all"
    actors: frozenset[str] | None = None
    min_confidence: float = 0.0
    areas: frozenset[str] | None = None
    exclude_areas: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None


class Route(Struct, frozen=True):
    """How one destination takes part in routing. `hold_s`: how long it waits for late actors or photos; `links`: it is
    told of events' links; `says_test`: its format can say that an event is a test; `cloud`: it is told of inventories
    and health, and of nothing else.
    """

    name: str
    filter: Filter
    address: Callable[[Event], Addressed]
    hold_s: float = 0.0
    wants_photos: bool = False
    links: bool = False
    says_test: bool = False
    cloud: bool = False


class Verdict(Struct, frozen=True):
    """One destination's answer to one event: yes with the address, or no with the rule."""

    destination: str
    yes: bool
    reason: str
    addressed: Addressed = Addressed()
    note: str = ""
    """What else decides, once it is sent."""


GATEWAY = "gateway"
"""The source of the gateway's own events."""
NOT_BY_DEFAULT = frozenset({"snapshot"})


def refusal(wanted: Filter, event: Event, lineage: Sequence[str]) -> str:
    """The first rule that stops the event, in words; empty when none does. `lineage`: its area and those above."""
    return (
        _kind_refusal(wanted, event)
        or _area_refusal(wanted, lineage)
        or _source_refusal(wanted, event)
        or _actor_refusal(wanted, event)
    )


def _kind_refusal(wanted: Filter, event: Event) -> str:
    if wanted.kinds is None:
        if event.kind in NOT_BY_DEFAULT:
            return f"filter.kinds: {event.kind} is not forwarded unless listed"
    elif event.kind not in wanted.kinds:
        return f"filter.kinds: {event.kind} is not among {', '.join(sorted(wanted.kinds))}"
    if event.kind in wanted.exclude_kinds:
        return f"filter.exclude_kinds: {event.kind} is excluded"
    if event.kind == "routine_check" and wanted.routine_checks == "off":
        return "filter.routine_checks: they are off"
    if wanted.states is not None and event.state not in wanted.states:
        return f"filter.states: {event.state} is not among {', '.join(sorted(wanted.states))}"
    return ""


def _area_refusal(wanted: Filter, lineage: Sequence[str]) -> str:
    if wanted.exclude_areas.intersection(lineage):
        above = next(name for name in lineage if name in wanted.exclude_areas)
        lies = "" if above == lineage[0] else f", it lies in {above}"
        return f"filter.exclude_areas: {lineage[0]} is excluded{lies}"
    if wanted.areas is not None and not wanted.areas.intersection(lineage):
        where = lineage[0] if lineage else "an event without area"
        return f"filter.areas: {where} is not in {', '.join(sorted(wanted.areas))}"
    return ""


def _source_refusal(wanted: Filter, event: Event) -> str:
    if wanted.sources is not None and event.source not in wanted.sources:
        return f"filter.sources: {event.source} is not among {', '.join(sorted(wanted.sources))}"
    return ""


def _actor_refusal(wanted: Filter, event: Event) -> str:
    if event.kind != "motion" or (wanted.actors is None and wanted.min_confidence <= 0):
        return ""
    if event.classification == "pending":  # stations.md 1.4: classify first, then filter; late is sent, never dropped
        return ""
    if event.state == "restore":  # it seldom says again what was seen; without it the alarm would stand for ever
        return ""
    listed = [actor for actor in event.actors if wanted.actors is None or _listed(wanted.actors, actor.cls)]
    if wanted.actors is not None and not listed:
        return f"filter.actors: motion without {' or '.join(sorted(wanted.actors))}"
    # A source that gives no confidence has not said that it is low.
    sure = (actor.confidence is None or actor.confidence >= wanted.min_confidence for actor in listed)
    if event.actors and not any(sure):
        return f"filter.min_confidence: no actor reaches {wanted.min_confidence:g}"
    return ""


def _listed(actors: frozenset[str], cls: str) -> bool:
    return cls in actors or ("vehicle" in actors and cls in VEHICLES)


def judge(route: Route, event: Event, lineage: Sequence[str]) -> Verdict:
    """One destination's verdict on one event."""
    reason = _own_state(route, event) or _not_for_it(route, event) or refusal(route.filter, event, lineage)
    if reason:
        return Verdict(route.name, False, reason)
    rule = route.filter.routine_checks
    often = event.kind == "routine_check" and rule != "all"
    note = f"at most one per device and {_PERIODS[rule]}: filter.routine_checks" if often else ""
    return replace(unfiltered(route, event), note=note)


def unfiltered(route: Route, event: Event) -> Verdict:
    """The verdict past the filter: whether the destination can say the event at all, and where it would go."""
    addressed = route.address(event)
    if addressed.unsupported:
        return Verdict(route.name, False, addressed.unsupported, addressed)
    return Verdict(route.name, True, "", addressed)


_PERIODS = {"period": "its period", "hourly": "hour", "daily": "day"}


def _own_state(route: Route, event: Event) -> str:
    """What the gateway has to say about a destination is told through the other ones."""
    if event.source == GATEWAY and event.device_id == destination_device(route.name):
        return "a destination's own state is told through the others"
    return ""


def _not_for_it(route: Route, event: Event) -> str:
    """Service clouds are told of systems and their devices, monitoring stations of alarms."""
    if event.notice is None:
        return "a service cloud is told of inventories and health only" if route.cloud else ""
    if route.cloud or (isinstance(event.notice, HealthNotice) and event.notice.stations):
        return ""
    if isinstance(event.notice, HealthNotice):
        return f'told to service clouds; to stations too with alarms = ["{event.kind}"] in its [[systems]] entry'
    return "inventories, and how systems themselves are, are told to service clouds only"


def destination_device(name: str) -> str:
    """The device id under which the gateway reports a destination's state."""
    return f"destination:{name}"


def owed(route: Route, verdict: Verdict, event: Event) -> Owed:
    """What a yes becomes in the outbox: pending, held for late additions, or set aside without an address."""
    found = owed_at_once(route, verdict, event)
    return held(route, event, found) if found.state == "pending" and waits(route, event) else found


def owed_at_once(route: Route, verdict: Verdict, event: Event) -> Owed:
    """The same, without waiting for anything."""
    addressed = verdict.addressed
    # What a cloud is told of a device stays in order whatever its kind, behind the inventory that names it: 2.7.
    lane = Lane.STATUS if route.cloud else lane_of(event.kind)
    if addressed.problem:
        return Owed(route.name, lane, state="rejected", reason=addressed.problem)
    return Owed(route.name, lane, "pending", addressed.address, addressed.queue)


def held(route: Route, event: Event, pending: Owed) -> Owed:
    """The same delivery, waiting for late additions."""
    return replace(pending, state="held", due_at=event.accepted_at + timedelta(seconds=route.hold_s))


def waits(route: Route, event: Event) -> bool:
    """Whether the event is still to be classified, or lacks photos this destination wants (stations.md 1.4)."""
    late_photos = route.wants_photos and event.photos_expected > event.photos
    return route.hold_s > 0 and (event.classification == "pending" or late_photos)
