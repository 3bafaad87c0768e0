"""Guessing is slowed down, for who guesses and from where; nobody is kept out for long by somebody else."""

import base64
from collections.abc import Mapping

import pytest

from tocsin.api.access import Rights
from tocsin.api.control.keeper import Keeper, Refusal, StationUser, digest
from tocsin.api.control.lockouts import MOST_REMEMBERED, Lockouts, neighbourhood
from tocsin.telemetry.occurrences import Trouble
from tocsin.telemetry.record import Occurrence


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


KEY = ("arc", "192.0.2.7")


def test_five_failures_are_free_then_each_costs_more_up_to_five_minutes() -> None:
    time = Time()
    lockouts = Lockouts(time)
    waits = []
    for _ in range(10):
        waits.append(lockouts.failed(KEY))
        time.now += waits[-1] + 1
        assert lockouts.wait_s(KEY) == 0
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 300, 300]


def test_it_concerns_one_user_from_one_address() -> None:
    lockouts = Lockouts(Time())
    for _ in range(5):
        lockouts.failed(KEY)
    assert lockouts.wait_s(KEY) == 30
    assert lockouts.wait_s(("arc", "192.0.2.8")) == 0
    assert lockouts.wait_s(("other", "192.0.2.7")) == 0


def test_success_and_a_quarter_of_an_hour_forgive() -> None:
    time = Time()
    lockouts = Lockouts(time)
    for _ in range(4):
        lockouts.failed(KEY)
    lockouts.succeeded(KEY)
    assert [lockouts.failed(KEY) for _ in range(5)] == [0, 0, 0, 0, 30]
    time.now += 901
    assert lockouts.failed(KEY) == 0


def test_what_is_remembered_is_bounded() -> None:
    lockouts = Lockouts(Time())
    for n in range(MOST_REMEMBERED + 10):
        lockouts.failed(("", f"peer{n}"))
    assert len(lockouts._failures) == MOST_REMEMBERED


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_customer_has_many_addresses(peer: str, expected: str) -> None:
    assert neighbourhood(peer) == expected


def basic(name: str, password: str) -> Mapping[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def keeper(time: Time, record: list[Occurrence] | None = None) -> Keeper:
    user = StationUser("arc", digest("right pässword"), Rights("control:arc", frozenset()), frozenset({"list"}))
    return Keeper([user], time, (record if record is not None else []).append)


def refused(one: Keeper, peer: str, headers: Mapping[str, str]) -> Refusal:
    with pytest.raises(Refusal) as raised, one.admitted(peer, headers):
        pass
    return raised.value


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer right"},
        {"authorization": "Basic"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"arc").decode()},
        {"authorization": "Basic " + base64.b64encode(b"arc:\xff").decode()},
        {"authorization": "Basic " + "A" * 5000},
        basic("", ""),
        basic("arc", ""),
        basic("ARC", "right pässword"),
        basic("nobody", "right pässword"),
    ],
)
def test_who_is_not_known_gets_the_published_answer(headers: Mapping[str, str]) -> None:
    refusal = refused(keeper(Time()), "192.0.2.7", headers)
    assert (refusal.status, refusal.text) == (401, "Unauthorized")
    assert refusal.headers["www-authenticate"].startswith("Basic ")


def test_the_right_password_is_let_in_also_with_letters_beyond_ascii() -> None:
    with keeper(Time()).admitted("192.0.2.7", basic("arc", "right pässword")) as user:
        assert user.name == "arc"
        assert "digest" not in repr(user)


def test_an_outsider_does_not_lock_a_station_out() -> None:
    time, record = Time(), list[Occurrence]()
    one = keeper(time, record)
    for _ in range(5):
        assert refused(one, "203.0.113.9", basic("arc", "guess")).status == 401
    refusal = refused(one, "203.0.113.9", basic("arc", "right pässword"))
    assert (refusal.status, refusal.text, refusal.headers["retry-after"]) == (429, "Too Many Requests", "30")
    with one.admitted("192.0.2.7", basic("arc", "right pässword")):
        pass
    time.now += 31
    with one.admitted("203.0.113.9", basic("arc", "right pässword")):
        pass
    [said] = record
    assert isinstance(said, Trouble)
    assert said.text == 'login of "arc" from 203.0.113.9 failed again and again: not looked at for 30 s'


def test_unknown_names_count_together() -> None:
    one = keeper(Time())
    answers = [refused(one, "203.0.113.9", basic(f"name{n}", "guess")).status for n in range(6)]
    assert answers == [401] * 5 + [429]


def test_three_requests_at_once() -> None:
    one = keeper(Time())
    login = basic("arc", "right pässword")
    with one.admitted("a", login), one.admitted("b", login), one.admitted("c", login):
        refusal = refused(one, "d", login)
        assert (refusal.status, refusal.text) == (429, "Too Many Requests")
    with one.admitted("d", login):
        pass
