"""Orders to devices: user-defined events that are triggered (connectors.md 4.7)."""

from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.engine.systems import Misconfigured, NotSupported, SystemFault, Unreachable
from tocsin.model.inventory import FoundDevice
from tocsin.standins.milestone.site import identity
from tocsin.standins.milestone.switches import Assumptions, Fault
from tocsin.systems.milestone.settings import MilestoneSettings

DOCK = identity("camera", 3)
ORDERS = [
    {"device": DOCK, "siren": "Siren on", "stop_siren": "siren OFF", "trigger": identity("event", "Doors locked")},
    {"device": identity("camera", 4), "trigger": "Smoke"},
]


async def test_each_order_triggers_its_event(bench: Any) -> None:
    one = await bench(orders=ORDERS)
    said = [await one.system.command("camera", key, order) for key, order in (
        (DOCK, "siren"), (DOCK.upper(), "stop_siren"), (DOCK, "trigger"),
    )]  # fmt: skip
    assert said[0] == "XProtect has taken the user-defined event “Siren on” (202)"
    assert one.site.gateway.triggered == ["Siren on", "Siren off", "Doors locked"]


async def test_devices_say_which_orders_they_take(bench: Any) -> None:
    one = await bench(orders=ORDERS)
    found = {each.native_key: each.orders async for each in one.system.devices() if isinstance(each, FoundDevice)}
    assert {key: orders for key, orders in found.items() if orders} == {DOCK: ("siren", "stop_siren")}


@pytest.mark.parametrize(("key", "order"), [(DOCK, "arm"), (identity("camera", 5), "siren"), (DOCK, "dance")])
async def test_what_nothing_stands_for_is_not_supported(bench: Any, key: str, order: str) -> None:
    one = await bench(orders=ORDERS)
    with pytest.raises(NotSupported, match=f"no user-defined event stands for {order} of camera {key}"):
        await one.system.command("camera", key, order)
    assert one.site.gateway.triggered == []


async def test_an_event_that_xprotect_does_not_have(bench: Any) -> None:
    one = await bench(orders=ORDERS)
    with pytest.raises(Misconfigured, match="no user-defined event called “Smoke”"):
        await one.system.command("camera", identity("camera", 4), "trigger")


async def test_a_user_who_may_not(bench: Any) -> None:
    one = await bench(orders=ORDERS, assumptions=Assumptions(administrator=False))
    with pytest.raises(SystemFault, match="does not let this user trigger “Siren on”"):
        await one.system.command("camera", DOCK, "siren")


async def test_an_answer_that_is_lost_is_not_made_good_by_doing_it_again(bench: Any) -> None:
    one = await bench(orders=ORDERS, timeout="300ms")
    one.site.gateway.faults = [Fault("/rest/v1/events", "silent", 1)]
    with pytest.raises(Unreachable):
        await one.system.command("camera", DOCK, "siren")
    assert len(one.requests("POST /api/rest/v1/events")) == 1


async def test_a_token_that_has_ended_costs_no_order(bench: Any) -> None:
    one = await bench(orders=ORDERS)
    await one.read()
    await one.site.happens("revoke", 0)
    await one.system.command("camera", DOCK, "siren")
    assert one.site.gateway.triggered == ["Siren on"]


@pytest.mark.parametrize("orders", [[], ORDERS])
async def test_orders_are_declared_where_there_are_any(bench: Any, orders: Any) -> None:
    assert ("commands" in (await bench(orders=orders)).system.capabilities) is bool(orders)


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        ([{"device": DOCK, "siren": "Siren on"}], "siren and stop_siren go together"),
        ([{"device": DOCK}], "no order is named"),
        ([{"device": "dock", "trigger": "x"}], "device"),
        ([ORDERS[1], {**ORDERS[1], "device": identity("camera", 4).upper()}], "name a device twice"),
    ],
)
def test_orders_that_cannot_be_meant(orders: Any, words: str) -> None:
    given = {"name": "xp", "url": "https://xp.example.net", "username": "u", "password": "p", "orders": orders}
    with pytest.raises(ValidationError, match=words):
        MilestoneSettings.model_validate(given)
