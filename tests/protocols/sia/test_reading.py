"""DC-03 data blocks as panels send them (event-codes.md 2.1 to 2.4)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.protocols.sia import SiaData, SiaEvent, read


def _brief(data: SiaData) -> list[tuple[str, ...]]:
    return [(event.area, event.code, event.number, event.text) for event in data.events]


@pytest.mark.parametrize(
    ("block", "account", "events"),
    [
        # 2.1
        ("#6F01|Nti08:15/ri2/BA17", "6F01", [("2", "BA", "17", "")]),
        ("#6F01|Nri2/BA17^North gate^/BV17", "6F01", [("2", "BA", "17", "North gate"), ("2", "BV", "17", "")]),
        ("#6F01|Nri4/FA2|AFire zone 2", "6F01", [("4", "FA", "2", "Fire zone 2")]),
        # 2.3: SIA1, SIA2, SIA3, extended SIA3 and its second form
        ("#000010|NFA2", "000010", [("", "FA", "2", "")]),
        ("#000010|Nid7/ri4/FA2", "000010", [("4", "FA", "2", "")]),
        ("#000010|Nti10:15/ri4/FA2/AFire Zone 2", "000010", [("4", "FA", "2", "Fire Zone 2")]),
        ("#000010|Nti10:15|ri4|FA2|AFire Zone 2", "000010", [("4", "FA", "2", "Fire Zone 2")]),
        # dc09.md 16: no account, no slash behind the modifier
        ("|NRP", None, [("", "RP", "", "")]),
        ("NRP", None, [("", "RP", "", "")]),
        (
            "#000110|Nri1BA503^Volum.Taverna   Appartam.Giorno ^",
            "000110",
            [("1", "BA", "503", "Volum.Taverna   Appartam.Giorno")],
        ),
        # modifiers hold for the events after them in the same block
        ("#1|Nri1/BA1/ri2/BA2|NBA3", "1", [("1", "BA", "1", ""), ("2", "BA", "2", ""), ("", "BA", "3", "")]),
        # a slash inside ^…^ is text
        ("#1|NBA1^door 1/2^/BA2", "1", [("", "BA", "1", "door 1/2"), ("", "BA", "2", "")]),
        ("#1|NBA1^never closed/BV2", "1", [("", "BA", "1", "never closed"), ("", "BV", "2", "")]),
        # codes whose first letter is also the letter of a block
        ("#1|NAT", "1", [("", "AT", "", "")]),
        ("#1|NBA1/AT/XT5", "1", [("", "BA", "1", ""), ("", "AT", "", ""), ("", "XT", "5", "")]),
        ("#1|Nid7/ri2|CL7", "1", [("2", "CL", "7", "")]),
        ("#1|Nri2|OP7", "1", [("2", "OP", "7", "")]),
        ("#1|Nti10:15|AT", "1", [("", "AT", "", "")]),
        ("#1|NFA2|AT", "1", [("", "FA", "2", "T")]),  # behind an event it is text
        ("#1|Nri2|NA7", "1", [("2", "NA", "7", "")]),
        ("#1|Nri2|EA7", "1", [("2", "EA", "7", "")]),
        ("#1|Nri2|PA7", "1", [("2", "PA", "7", "")]),
        ("#1|PA3", "1", [("", "PA", "3", "")]),
        # numbers
        ("#1|NBA001", "1", [("", "BA", "001", "")]),
        ("#1|NBA1F", "1", [("", "BA", "1F", "")]),
        ("#1|NBA2-7", "1", [("", "BA", "2-7", "")]),
        ("#1|NBA5Front", "1", [("", "BA", "5", "Front")]),
        # text behind the event, several events, several texts
        ("#1|NBA1/BA2^own^|ANorth|Agate", "1", [("", "BA", "1", "North gate"), ("", "BA", "2", "own")]),
        ('#1|NBA5*"North gate"NM', "1", [("", "BA", "5", "North gate")]),
    ],
)
def test_levels_and_quirks(block: str, account: str | None, events: list[tuple[str, ...]]) -> None:
    data = read(block.encode())
    assert data.account == account
    assert _brief(data) == events
    assert data.raw == ()
    assert read(block) == data


def test_everything_an_event_can_carry() -> None:
    (event,) = read("#1|Oda03-04-26/ti08:15:30/id007/pi3/ri02/BA017*21.5C_^North gate^").events
    assert event == SiaEvent(
        code="BA",
        number="017",
        area="02",
        user="007",
        text="North gate",
        time="08:15:30",
        date="03-04-26",
        units="21.5C_",
        old=True,
        known=True,
        modifiers=(("da", "03-04-26"), ("ti", "08:15:30"), ("id", "007"), ("pi", "3"), ("ri", "02")),
    )


def test_old_blocks_are_told_apart_from_codes_that_begin_with_o() -> None:
    assert [(event.code, event.old) for event in read("#1|OOP7|NOP7|OBA1").events] == [
        ("OP", True),
        ("OP", False),
        ("BA", True),
    ]


def test_unknown_codes_are_events() -> None:
    assert [(event.code, event.known) for event in read("#1|NPC5/BA1/ZZ").events] == [
        ("PC", False),
        ("BA", True),
        ("ZZ", False),
    ]


def test_unknown_modifiers_are_kept() -> None:
    (event,) = read("#1|Nzz12/BA1").events
    assert event.modifiers == (("zz", "12"),)


def test_environment_text_and_all_the_rest() -> None:
    data = read(b"#1|EDA3*21.5C_|ALow battery|P12|@#|?x|7|Nri/BA1|X\x07Y|#2")
    assert data.environment == ("DA3*21.5C_",)
    assert data.texts == ("Low battery",)
    assert data.raw == ("P12", "@#", "?x", "7", "ri", "X Y", "#2")
    assert [event.code for event in data.events] == ["BA"]


def test_text_is_decoded_as_utf_8_then_as_windows_1252() -> None:
    assert read("#1|NTA1^Gehäuse^".encode()).events[0].text == "Gehäuse"
    assert read("#1|NTA1^Gehäuse^".encode("cp1252")).events[0].text == "Gehäuse"
    assert read(b"#1|NTA1^\x81\x00\xff^").events[0].text == "ÿ"


def test_nothing_at_all() -> None:
    assert read(b"") == SiaData()
    assert read(b"#|") == SiaData()
    assert read(b"|||///^^^").events == ()


PIECES = st.lists(
    st.sampled_from(
        ["#6F01", "N", "O", "A", "E", "BA", "XT17", "ri2", "ti08:15", "id", "^", "^x^", "/", "|", "*", '"', "1"]
    ),
    max_size=14,
).map("".join)


@given(st.binary(max_size=60) | st.text(max_size=40) | PIECES)
@settings(max_examples=300)
def test_any_bytes_have_a_meaning(block: bytes | str) -> None:
    data = read(block)
    for event in data.events:
        assert re.fullmatch(r"[A-Z]{2}", event.code)
        assert re.fullmatch(r"[0-9A-Fa-f:-]*", event.number)
        assert re.fullmatch(r"[0-9]*", event.area + event.user)
        assert event.text.isprintable()
    for shown in (*data.texts, *data.environment, *data.raw, data.account or ""):
        assert shown.isprintable()


@given(st.text(alphabet='^/|BX1 *"', max_size=60))
@settings(max_examples=200)
def test_no_letter_or_digit_is_lost(block: str) -> None:
    data = read(block)
    kept = "".join([*(e.code + e.number + e.text + e.units for e in data.events), *data.texts, *data.raw])
    for char in "BX1":
        assert kept.count(char) == block.count(char)
