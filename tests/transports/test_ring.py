"""The order of hosts in one round."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.transports.ring import round_order


def test_a_new_connection_starts_at_the_first_host() -> None:
    assert round_order(["a", "b", "c"]) == ["a", "b", "c"]


def test_a_standing_link_is_used_first_and_the_others_follow_in_order() -> None:
    assert round_order(["a", "b", "c"], "b") == ["b", "a", "c"]


def test_a_link_to_a_host_that_is_no_longer_configured_is_not_tried() -> None:
    assert round_order(["a", "b"], "x") == ["a", "b"]


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdef"), min_size=1), st.none() | st.sampled_from("abcdefg"))
def test_every_host_is_tried_exactly_once(hosts: list[str], linked: str | None) -> None:
    order = round_order(hosts, linked)
    assert sorted(order) == sorted(set(hosts))
    assert order[0] == (linked if linked in hosts else hosts[0])
