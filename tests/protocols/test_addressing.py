"""Addresses in descriptions: every example and vector of stations.md 2.3 and 2.4."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.event import Address
from tocsin.protocols.addressing import (
    NOTATIONS,
    Invalid,
    Recipients,
    Token,
    find,
    listed,
    parse,
    read,
    tokens,
    written,
)


def _only(text: str):
    (token,) = tokens(text)
    return parse(token)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        # 2.3
        ("Json:#1234567890|123-123", Address("1234567890", "123", "123")),
        ("Json:#9999-1", Address("9999", None, "1")),
        ("Json:#9999", Address("9999")),
        ("SIA:R1L234#567890|00-001", Address("567890", "00", "001", "1", "234")),
        ("SIA:#9280|00-001", Address("9280", "00", "001")),
        ("SIA:#9380", Address("9380")),
        ("SIA:#61007819-002", Address("61007819", None, "002")),
        ("Stages:R123456L123456#1", Address("1", None, None, "123456", "123456")),
        ("Immix:S12345", Address("12345")),
        ("Sentinel:12345", Address("12345")),
        ("Patriot:0011-01", Address("0011", "01")),
        # 2.4
        ("json:#9999-1", Address("9999", None, "1")),
        # the edges of the grammar
        ("SIA:L0#ABCdef0123456789", Address("ABCdef0123456789", None, None, None, "0")),
        ("sia:r1#123|7", Address("123", "7", None, "1")),
        ("Json:#9999|-", Address("9999")),
        ("Json:#9999|A1-b", Address("9999", "A1", "b")),
        ("Stages:L1#4711|2-3", Address("4711", "2", "3", None, "1")),
        ("Patriot:0011", Address("0011")),
        ("SureView:xk72mnp4ab", Recipients(("xk72mnp4ab",))),
        ("sureview:xk72mnp4ab@eu.sureviewops.com", Recipients(("xk72mnp4ab@eu.sureviewops.com",))),
        ("Email:guard@example.net", Recipients(("guard@example.net",))),
        ("EMAIL:a.b@example.net+c_d@mail.example.org", Recipients(("a.b@example.net", "c_d@mail.example.org"))),
    ],
)
def test_accepted(text: str, address: Address | Recipients) -> None:
    assert _only(text) == address


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("Json:#9999|1234", "the area has 4 characters where 0 to 3 are allowed"),
        ("Json:#", "the site has 0 characters"),
        ("Stages:#4711", "the line is missing"),
        ("Stages:L1#47A1", "other characters than decimal digits"),
        ("SIA:#12", "the account has 2 characters where 3 to 16 are allowed"),
        ("SIA:#12345678901234567", "the account has 17 characters"),
        ("SIA:#12G4", "other characters than hexadecimal digits"),
        ("SIA:#1234-0001", "the zone has 4 characters"),
        ("SIA:#1234|001", "the group has 3 characters"),
        ("SIA:#1234|0A", "other characters than decimal digits"),
        ("SIA:R#1234", "the receiver has 0 characters"),
        ("SIA:R1234567#1234", "the receiver has 7 characters"),
        ("SIA:1234", "cannot be told apart"),
        ("SIA:#1234-1|2", "cannot be told apart"),
        ("SIA:#1234-1-2", "cannot be told apart"),
        ("SIA:#١٢٣٤", "other characters than hexadecimal digits"),
        ("Stages:L#4711", "the line has 0 characters"),
        ("Stages:Rx1L1#4711", "other characters than decimal digits"),
        ("Stages:4711", "cannot be told apart"),
        ("Json:9999", "cannot be told apart"),
        ("Json:#99_9", "other characters than letters and digits"),
        ("Immix:12345", "the letter S is missing"),
        ("Immix:S12a", "other characters than decimal digits"),
        ("Sentinel:", "the number has 0 characters"),
        ("Patriot:-01", "the client has 0 characters"),
        ("Patriot:0011-", "the area has 0 characters"),
        ("SureView:", "is neither a mail address nor what stands before its @"),
        ("SureView:a@b@c", "is neither a mail address"),
        ("SureView:ä", "is neither a mail address"),
        ("Email:", "'' is no mail address"),
        ("Email:guard@example.net+", "'' is no mail address"),
        ("Email:guard@", "is no mail address"),
        ("Email:@example.net", "is no mail address"),
        ("Email:a@b@example.net", "is no mail address"),
        ("Email:a\x00b@example.net", "is no mail address"),
        ("Email:" + "+".join(["a@example.net"] * 21), "21 recipients"),
    ],
)
def test_rejected_with_a_sentence(text: str, because: str) -> None:
    found = _only(text)
    assert isinstance(found, Invalid)
    assert because in found.reason
    assert "expected" in found.reason


def test_a_description_is_for_people_too() -> None:
    text = "Gate cam, Json:#9999; SIA:#1234-002"
    assert find(text, "json").address == Address("9999")
    assert find(text, "SIA").address == Address("1234", None, "002")
    assert find(text, "Email").address is None
    assert find(text, "Email").warnings == ()


def test_the_first_valid_token_wins_and_invalid_ones_are_named() -> None:
    found = find("SIA:#12 SIA:#1234 SIA:#5678,SIA:#1", "sia")
    assert found.address == Address("1234")
    assert [warning.split(" is not used")[0] for warning in found.warnings] == ["'SIA:#12'", "'SIA:#1'"]


def test_missing_parts_stay_missing() -> None:
    address = find("SIA:#9380", "SIA").address
    assert (address.area, address.zone, address.receiver, address.prefix) == (None, None, None, None)


def test_other_prefixes_are_text() -> None:
    assert [token.prefix for token in tokens("see http://example.net/x, Tel:123 :x x: SIA:#123")] == [
        "http",
        "tel",
        "x",
        "sia",
    ]
    assert parse(Token("tel", "123", "Tel:123")) is None


def test_a_list_entry_is_read_in_parts_or_in_the_types_notation() -> None:
    assert listed("R1L234#567890|00-001") == Address("567890", "00", "001", "1", "234")
    assert read("Immix", listed("S12345")) == read("Immix", listed("#12345")) == Address("12345")
    assert read("Patriot", listed("0011-01")) == Address("0011", "01")
    assert read("Email", listed("a@example.net+b@example.org")) == Recipients(("a@example.net", "b@example.org"))
    assert read("SIA", listed("#9280")) == Address("9280")
    assert read("", listed("anything")) == Address("anything"), "what cannot be read stays, for the type to judge"


PART = st.none() | st.text("0123456789ABab", min_size=1, max_size=5)


@given(st.builds(Address, st.text("0123456789ABRLab", min_size=1, max_size=9), PART, PART, PART, PART))
def test_a_list_entry_survives_being_written(address: Address) -> None:
    assert listed(written(address)) == address


@given(st.text("0123456789ABRLab@.#|-+_", min_size=1, max_size=30))
def test_a_list_entry_written_is_read_the_same(text: str) -> None:
    assert listed(written(listed(text))) == listed(text)


def test_every_notation_shows_a_form_it_accepts() -> None:
    for notation in NOTATIONS.values():
        example = notation.form.split(",")[0]
        assert not isinstance(_only(example), Invalid)


@given(
    st.text(max_size=60)
    | st.sampled_from(sorted(NOTATIONS)).flatmap(lambda p: st.text("#|-+@RLS.19aF", max_size=20).map(f"{p}:".__add__))
)
@settings(max_examples=300)
def test_any_description_gives_addresses_or_sentences(text: str) -> None:
    for token in tokens(text):
        found = parse(token)
        assert found is None or isinstance(found, Address | Recipients | Invalid)
        if isinstance(found, Address):
            assert found.account
            assert parse(Token(token.prefix, token.rest, token.text)) == found
        if isinstance(found, Invalid):
            assert "is not used" in found.reason
