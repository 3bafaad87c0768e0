"""The order of hosts in one round."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.transports.ring import round_order, turn_order


def test_a_new_connection_starts_at_the_first_host() -> None:
    assert round_order(["a", "b", "c"]) == ["a", "b", "c"]


def test_hosts_that_may_not_be_asked_are_left_out() -> None:
    assert round_order(["a", "b", "c"], {"a"}) == ["b", "c"]


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdefg")))
def test_every_host_is_tried_once_in_the_configured_order(hosts: list[str], without: set[str]) -> None:
    order = round_order(hosts, without)
    assert len(order) == len(set(order))
    assert set(order) == set(hosts) - without
    assert [hosts.index(host) for host in order] == sorted(hosts.index(host) for host in order)


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdef")), st.integers(0, 1000))
def test_uploads_take_turns(hosts: list[str], turn: int) -> None:
    order, following = turn_order(hosts, turn), turn_order(hosts, turn + 1)
    assert sorted(order) == sorted(set(hosts))
    assert following == order[1:] + order[:1]
