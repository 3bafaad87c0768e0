"""The look-up all types of station share: its order, and what happens when there is no address (receivers.md 1.2)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.destinations.dc09.addressing import address as dc09_address
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.email.addressing import address_of as email_address
from tocsin.destinations.email.settings import EmailSettings
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.webhook.addressing import address_of as webhook_address
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.engine.areas import AreaTree
from tocsin.engine.contracts import ORIGIN_AREA, ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_TAG, Addressed
from tocsin.model.device import Area, Device
from tocsin.model.event import Address, Event, Place
from tocsin.protocols.addressing import NOTATIONS, listed

AT = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
GATE = Event("1", "motion", AT, AT, "detectors", device_id="cam", place=Place(area="North depot"))
TREE = AreaTree(
    [
        Area("North", addresses={"arc": listed("#4400"), "mail": listed("north@example.net")}),
        Area("North depot", "North", addresses={"hook": listed("#N1|2-3")}),
    ]
)


def arc(**changes: Any) -> Dc09Settings:
    given = {"name": "arc", "type": "dc09", "hosts": ["192.0.2.5:4001"], "account": "9280"} | changes
    return Dc09Settings(**given)


def told(device: Device | None, **changes: Any) -> Addressed:
    return dc09_address(arc(**changes), GATE, device, TREE.address)


def test_tag_then_the_devices_list_then_area_then_default() -> None:
    both = Device("cam", description="SIA:#9380", addresses={"arc": Address("5555")})
    assert (told(both).address, told(both).origin) == ("#9380", ORIGIN_TAG)
    only = Device("cam", addresses={"arc": Address("5555")})
    assert (told(only).address, told(only).origin) == ("#5555", ORIGIN_DEVICE)
    assert (told(Device("cam")).address, told(Device("cam")).origin) == ("#4400", ORIGIN_AREA)
    assert (told(None, name="other").address, told(None, name="other").origin) == ("#9280", ORIGIN_DEFAULT)


def test_the_nearest_area_upwards_has_its_say() -> None:
    hook = WebhookSettings(name="hook", type="webhook", url="https://hook.example.net/")
    assert webhook_address(hook, GATE, Device("cam"), TREE.address).address == "#N1|2-3"
    assert TREE.address("North", "hook") is None
    assert TREE.address("nowhere", "arc") is None


def test_a_destinations_own_name_is_a_prefix_too_and_goes_first() -> None:
    device = Device("cam", description="SIA:#9380, second-arc:#7777|01-002")
    assert told(device).address == "#9380"
    assert told(device, name="second-arc").address == "#7777|01-002"
    wrong = told(Device("cam", description="SIA:#9380 second-arc:#7"), name="second-arc")
    assert (wrong.address, "'second-arc:#7' is not used" in wrong.warning) == ("#9380", True)


def test_a_name_that_is_another_types_prefix_is_no_prefix_of_ours() -> None:
    assert told(Device("cam", description="Json:#9999-1"), name="json", account="1234").address == "#1234"


@pytest.mark.parametrize(
    ("type_name", "name", "given", "address"),
    [
        ("dc09", "arc", {"hosts": ["192.0.2.5:4001"]}, "#4400"),
        ("surgard", "arc", {"hosts": ["192.0.2.5:1025"]}, "#4400"),
        ("microkey", "arc", {"hosts": ["192.0.2.5:1025"]}, "#4400"),
        ("webhook", "hook", {"url": "https://hook.example.net/"}, "#N1|2-3"),
        ("email", "mail", {"hosts": ["192.0.2.7"], "sender": "gw@example.net"}, "north@example.net"),
    ],
)
def test_each_type_asks_the_areas(
    surroundings: Surroundings, type_name: str, name: str, given: dict[str, Any], address: str
) -> None:
    kind = DESTINATION_TYPES[type_name]
    entry = kind.settings(name=name, type=type_name, **given)
    made = kind.build(entry, replace(surroundings, area_address=TREE.address))
    assert made.address(GATE, Device("cam")).address == address


@pytest.mark.parametrize("text", ["guard@example.net+b@example.org", "guard@example.net"])
def test_a_list_may_hold_what_the_type_writes(text: str) -> None:
    mail = EmailSettings(name="mail", type="email", hosts=["192.0.2.7"], sender="gw@example.net")
    found = email_address(mail, GATE, Device("cam", addresses={"mail": listed(text)}))
    assert (found.address, found.origin) == (text.replace("+", ","), ORIGIN_DEVICE)
    assert email_address(mail, GATE, Device("cam"), TREE.address).address == "north@example.net"


def test_missing_is_an_error_a_drop_or_the_default() -> None:
    device = Device("cam")
    lost = dc09_address(arc(on_missing_address="error"), GATE, device)
    assert lost.address == ""
    assert "on_missing_address is error" in lost.problem
    dropped = dc09_address(arc(on_missing_address="drop"), GATE, device)
    assert (dropped.problem, "on_missing_address" in dropped.unsupported) == ("", True)
    assert dc09_address(arc(), GATE, device).address == "#9280"
    assert "set account" in dc09_address(arc(account=None), GATE, device).problem


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_the_gateways_own_events_use_the_default_all_the_same(missing: str, make_event: Callable[..., Event]) -> None:
    own = make_event(kind="system_started", source="gateway", device_id="")
    assert dc09_address(arc(on_missing_address=missing), own, None).origin == ORIGIN_DEFAULT


TAGS = st.sampled_from([*NOTATIONS, "arc", "http"]).flatmap(
    lambda prefix: st.text("#|-+@.RLS019aFz_", max_size=24).map(f"{prefix}:".__add__)
)


@given(st.lists(st.text(max_size=20) | TAGS, max_size=6).map(" ".join), st.text("#|-RLS01aF@.+", min_size=1))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_description_gives_an_address_or_a_problem(description: str, entry: str) -> None:
    device = Device("cam", description=description, addresses={"mail": listed(entry)})
    mail = EmailSettings(name="mail", type="email", hosts=["192.0.2.7"], sender="gw@example.net")
    hook = WebhookSettings(name="hook", type="webhook", url="https://hook.example.net/")
    for found in (told(device, on_missing_address="error"), email_address(mail, GATE, device)):
        assert bool(found.address) is not bool(found.problem)
    assert not webhook_address(hook, GATE, device).problem
