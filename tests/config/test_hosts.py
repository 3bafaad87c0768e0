"""A host that no connection could lead to is refused, whatever is written; one that could is taken as it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config.hosts import checked_host


@given(st.text(max_size=300))
def test_any_text_is_taken_as_it_stands_or_refused_with_a_sentence(text: str) -> None:
    try:
        assert checked_host(text) == text
    except ValueError as error:
        assert "host" in str(error) or "IPv4" in str(error)
    else:
        assert text.encode("idna")  # what the socket library does first, and fails with in the middle of an attempt


FOUND = [
    "arc",
    "arc.example.net",
    "arc.example.net.",
    "ARC_1",
    "münchen.example",
    "192.0.2.5",
    "127.1",
    "2001:db8::1",
    "fe80::1%eth0",
    "-arc",
    "192.0.2.5.example.net",
    "1.2.3.4.5",
    "xn--mnchen-3ya.example",
]
LOST = [
    ".",
    "arc..net",
    ".arc",
    "arc/net",
    "arc:1",
    "[::1]",
    "arc%20",
    "192.0.2.256",
    "999.999.999.999",
    "<arc>",
    "a,b",
    "tcp://arc",
    "user@arc",
    "2001:db8::1::2",
    "{arc}",
]


@pytest.mark.parametrize("host", [*FOUND, "a" * 63, ".".join(["a" * 60] * 4)])
def test_what_could_be_found_is_taken(host: str) -> None:
    assert checked_host(host) == host


@pytest.mark.parametrize("host", [*LOST, "", "arc net", "arc\n", "a" * 64, ".".join(["a" * 60] * 5)])
def test_what_could_not_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"host|IPv4"):
        checked_host(host)
