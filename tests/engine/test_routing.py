"""Filters: every rule, alone and together, against the rule written down a second time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.destinations.settings import FilterSettings
from tocsin.engine.areas import AreaTree
from tocsin.engine.contracts import Addressed
from tocsin.engine.routing import Filter, Route, destination_device, judge, owed, refusal, unfiltered, waits
from tocsin.model.device import Area
from tocsin.model.event import Actor, Event
from tocsin.model.kinds import ACTOR_CLASSES, KIND_GROUPS, KINDS, VEHICLES

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
TREE = AreaTree([Area("North"), Area("Depot", "North"), Area("Yard", "Depot"), Area("South")])


def event(kind: str = "motion", source: str = "detectors", **fields: object) -> Event:
    return Event("e", kind, NOW, NOW, source, **fields)  # type: ignore[arg-type]


def several(*names: str) -> frozenset[str]:
    return frozenset(names)


def seen(*actors: str, confidence: float | None = None) -> Event:
    return event(actors=tuple(Actor(one, confidence) for one in actors))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "given_event", "area", "reason"),
    [
        (Filter(), event("tamper"), "", ""),
        (Filter(), event("snapshot"), "", "filter.kinds: snapshot is not forwarded unless listed"),
        (Filter(kinds=several("snapshot")), event("snapshot"), "", ""),
        (Filter(kinds=several("tamper", "fire")), event(), "", "filter.kinds: motion is not among fire, tamper"),
        (Filter(areas=several("North")), event(), "Yard", ""),
        (Filter(areas=several("Yard")), event(), "Depot", "filter.areas: Depot is not in Yard"),
        (Filter(areas=several("North")), event(), "", "filter.areas: an event without area is not in North"),
        (Filter(areas=several("North")), event(), "Nowhere", "filter.areas: Nowhere is not in North"),
        (
            Filter(exclude_areas=several("North")),
            event(),
            "Yard",
            "filter.exclude_areas: Yard is excluded, it lies in North",
        ),
        (Filter(exclude_areas=several("Yard")), event(), "Yard", "filter.exclude_areas: Yard is excluded"),
        (Filter(exclude_kinds=several("tamper")), event("tamper"), "", "filter.exclude_kinds: tamper is excluded"),
        (Filter(kinds=several("tamper"), exclude_kinds=several("motion")), event("tamper"), "", ""),
        (Filter(routine_checks="off"), event("routine_check"), "", "filter.routine_checks: they are off"),
        (Filter(routine_checks="off"), event("tamper"), "", ""),
        (Filter(states=several("new")), event("fire", state="restore"), "", "filter.states: restore is not among new"),
        (Filter(states=several("new", "still")), event("fire", state="still"), "", ""),
        (Filter(actors=several("person")), event(state="restore"), "", ""),
        (Filter(exclude_areas=several("Yard")), event(), "Depot", ""),
        (
            Filter(areas=several("North"), exclude_areas=several("Depot")),
            event(),
            "Yard",
            "filter.exclude_areas: Yard is excluded, it lies in Depot",
        ),
        (Filter(sources=several("panels")), event(), "", "filter.sources: detectors is not among panels"),
        (Filter(sources=several("panels")), event(source="panels"), "", ""),
        (Filter(actors=several("person", "car")), seen(), "", "filter.actors: motion without car or person"),
        (Filter(actors=several("person")), seen("car"), "", "filter.actors: motion without person"),
        (Filter(actors=several("person")), seen("car", "person"), "", ""),
        (Filter(actors=several("person")), event("tamper"), "", ""),
        (Filter(actors=several("person")), event(classification="pending"), "", ""),
        (Filter(min_confidence=0.5), seen("car", confidence=0.4), "", "filter.min_confidence: no actor reaches 0.5"),
        (Filter(min_confidence=0.5), seen("car", confidence=0.5), "", ""),
        (Filter(min_confidence=0.5), seen(), "", ""),
        (Filter(min_confidence=0.5), seen("car"), "", ""),
    ],
)
def test_each_rule_says_no_in_its_own_words(wanted: Filter, given_event: Event, area: str, reason: str) -> None:
    assert refusal(wanted, given_event, TREE.lineage(area)) == reason


def test_confidence_counts_for_the_listed_classes_only() -> None:
    wanted = Filter(actors=several("person"), min_confidence=0.5)
    both = event(actors=(Actor("car", 0.9), Actor("person", 0.3)))
    assert refusal(wanted, both, ()) == "filter.min_confidence: no actor reaches 0.5"


@pytest.mark.parametrize("cls", sorted(VEHICLES))
def test_vehicle_stands_for_every_vehicle(cls: str) -> None:
    assert refusal(Filter(actors=several("vehicle")), seen(cls), ()) == ""
    assert refusal(Filter(actors=several("vehicle")), seen("person"), ()) != ""


def test_a_listed_class_does_not_let_the_others_through() -> None:
    assert refusal(Filter(actors=several("car")), seen("truck"), ()) != ""
    assert refusal(Filter(actors=several("car")), seen("vehicle"), ()) != ""


names = st.sampled_from(["North", "Depot", "Yard", "South", "Nowhere"])
sources = st.sampled_from(["detectors", "panels", "mail"])
kinds = st.sampled_from(["motion", "tamper", "snapshot", "fire", "routine_check"])
states = st.sampled_from(["new", "restore", "still"])
classes = st.sampled_from(sorted(ACTOR_CLASSES))
filters = st.builds(
    Filter,
    kinds=st.none() | st.frozensets(kinds),
    actors=st.none() | st.frozensets(classes, min_size=1),
    min_confidence=st.sampled_from([0.0, 0.5, 1.0]),
    areas=st.none() | st.frozensets(names),
    exclude_areas=st.frozensets(names),
    sources=st.none() | st.frozensets(sources),
    exclude_kinds=st.frozensets(kinds),
    states=st.none() | st.frozensets(states),
    routine_checks=st.sampled_from(["all", "period", "hourly", "daily", "off"]),
)
actor = st.builds(Actor, classes, st.none() | st.sampled_from([0.2, 0.5, 0.9]))
PARENTS = {"Yard": ["Yard", "Depot", "North"], "Depot": ["Depot", "North"], "": []}


def allowed(wanted: Filter, one: Event, area: str) -> bool:
    """stations.md 10, written anew: all categories that apply must allow it, in a category one match is enough."""
    above = PARENTS.get(area, [area])
    kinds_ok = one.kind != "snapshot" if wanted.kinds is None else one.kind in wanted.kinds
    areas_ok = wanted.areas is None or any(name in wanted.areas for name in above)
    excluded = any(name in wanted.exclude_areas for name in above)
    source_ok = wanted.sources is None or one.source in wanted.sources
    state_ok = wanted.states is None or one.state in wanted.states
    routine_ok = one.kind != "routine_check" or wanted.routine_checks != "off"
    kinds_ok = kinds_ok and one.kind not in wanted.exclude_kinds and state_ok and routine_ok
    return kinds_ok and areas_ok and not excluded and source_ok and (one.kind != "motion" or actors_ok(wanted, one))


def actors_ok(wanted: Filter, one: Event) -> bool:
    if one.classification == "pending" or one.state == "restore":
        return True
    listed = [
        each
        for each in one.actors
        if wanted.actors is None or each.cls in wanted.actors or ("vehicle" in wanted.actors and each.cls != "person")
    ]
    if wanted.actors is not None and not listed:
        return False
    return (
        not one.actors
        or wanted.min_confidence == 0
        or any(each.confidence is None or each.confidence >= wanted.min_confidence for each in listed)
    )


@settings(max_examples=400, deadline=None)
@given(filters, kinds, sources, names | st.just(""), st.lists(actor, max_size=3), st.booleans(), states, st.randoms())
def test_a_filter_is_what_the_rules_say_whatever_the_order(
    wanted: Filter, kind: str, source: str, area: str, actors: list[Actor], pending: bool, state: str, chance: object
) -> None:
    one = event(kind, source, actors=tuple(actors), classification="pending" if pending else "done", state=state)
    shuffled = list(actors)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    other = event(kind, source, actors=tuple(shuffled), classification=one.classification, state=state)
    verdict = refusal(wanted, one, TREE.lineage(area))
    assert (verdict == "") == allowed(wanted, one, area)
    assert refusal(wanted, other, TREE.lineage(area)) == verdict


SETTINGS = st.fixed_dictionaries(
    {
        "kinds": st.lists(st.sampled_from([*sorted(KIND_GROUPS), "motion", "snapshot", "fire"]), min_size=1),
        "exclude_kinds": st.lists(st.sampled_from([*sorted(KIND_GROUPS), "tamper"])),
        "actors": st.lists(st.sampled_from(["bike", "person", "vehicle"]), min_size=1),
        "areas": st.lists(names, min_size=1),
    }
)


@settings(max_examples=100, deadline=None)
@given(SETTINGS, st.randoms(use_true_random=False))
def test_the_order_in_which_a_filter_is_written_changes_nothing(written: dict[str, list[str]], chance: Any) -> None:
    shuffled = {name: chance.sample(values, len(values)) for name, values in written.items()}
    again = dict(sorted(shuffled.items(), key=lambda _: chance.random()))
    assert FilterSettings(**written).rule() == FilterSettings(**again).rule()


def test_groups_stand_for_their_kinds_and_bike_for_bicycle() -> None:
    rule = FilterSettings(kinds=["battery", "motion"], exclude_kinds=["arming"], actors=["bike"]).rule()
    assert rule.kinds == {"battery_low", "battery_restored", "motion"}
    assert rule.exclude_kinds == {"armed", "disarmed"}
    assert rule.actors == {"bicycle"}
    assert FilterSettings().rule() == Filter(routine_checks="period")


def test_every_kind_but_a_few_of_their_own_is_in_a_group() -> None:
    grouped = frozenset().union(*(kinds for name, kinds in KIND_GROUPS.items() if name != "everything"))
    assert grouped <= KINDS
    assert sorted(KINDS - grouped) == ["info", "routine_check", "snapshot", "test"]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(KINDS)))
def test_by_default_everything_goes_but_snapshots(kind: str) -> None:
    assert (refusal(Filter(), event(kind), ()) == "") == (kind != "snapshot")


HERE = Addressed("#1", "1")


def route(addressed: Addressed = HERE, **more: object) -> Route:
    return Route("arc", more.pop("filter", Filter()), lambda _: addressed, **more)  # type: ignore[arg-type]


def test_a_destinations_own_state_is_told_through_the_others() -> None:
    down = event("destination_down", "gateway", device_id=destination_device("arc"))
    assert not judge(route(), down, ()).yes
    other = event("destination_down", "gateway", device_id=destination_device("backup"))
    assert judge(route(), other, ()).yes
    assert judge(route(), event("motion", "detectors", device_id=destination_device("arc")), ()).yes


def test_what_the_format_cannot_say_is_filtered_even_for_a_test() -> None:
    mute = route(Addressed(unsupported="no word for it"))
    assert [verdict(mute, event()).yes for verdict in (lambda r, e: judge(r, e, ()), unfiltered)] == [False, False]
    assert unfiltered(mute, event()).reason == "no word for it"


def test_past_the_filter_a_test_goes_out() -> None:
    strict = route(filter=Filter(kinds=several("fire")))
    assert not judge(strict, event("test"), ()).yes
    assert unfiltered(strict, event("test")).yes


def test_without_an_address_it_is_set_aside() -> None:
    lost = route(Addressed(problem="no address"))
    stored = owed(lost, judge(lost, event(), ()), event())
    assert (stored.state, stored.reason, stored.address) == ("rejected", "no address", "")


@pytest.mark.parametrize(
    ("fields", "hold_s", "wants_photos", "waiting"),
    [
        ({"classification": "pending"}, 10.0, False, True),
        ({"classification": "pending"}, 0.0, False, False),
        ({"photos_expected": 2, "photos": 1}, 10.0, True, True),
        ({"photos_expected": 2, "photos": 2}, 10.0, True, False),
        ({"photos_expected": 2}, 10.0, False, False),
        ({"photos_expected": 2}, 0.0, True, False),
        ({}, 10.0, True, False),
    ],
)
def test_who_waits_for_what_comes_late(
    fields: dict[str, object], hold_s: float, wants_photos: bool, waiting: bool
) -> None:
    one = event(**fields)
    kept = route(hold_s=hold_s, wants_photos=wants_photos)
    assert waits(kept, one) is waiting
    stored = owed(kept, judge(kept, one, ()), one)
    assert stored.state == ("held" if waiting else "pending")
    assert (stored.due_at is not None) is waiting
