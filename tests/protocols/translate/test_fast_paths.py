"""Every short way gives exactly what the general one gives."""

from datetime import UTC, datetime
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.model.event import Address, Code, Event
from tocsin.model.kinds import KINDS
from tocsin.protocols.codes import outbound
from tocsin.protocols.dc09.message import Extended, Message, body_length, write
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.text import encoded, printable
from tocsin.protocols.translate import DataOptions, Remembered, panel_events, station, station_data

FRAME_OVERHEAD = len("\nCCCC0LLL\r")
CODES = st.none() | st.sampled_from(["", "BA", "CL", "OP", "ZZ", "1130", "3401", "6130", "1FFF", "BA\n", "é"])
WRITTEN = st.text("[]|^ aZ~\t\n\x7fäß门\u2028", max_size=20)


@given(
    st.sampled_from(["sia", "contact_id"]),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["new", "restore", "still"]),
    st.none() | st.builds(Code, sia=CODES | st.text(max_size=5), contact_id=CODES | st.text(max_size=5)),
    st.sampled_from([{}, {"BA": "BV"}, {"burglary": "E137"}]),
)
@settings(max_examples=400)
def test_codes_that_are_kept_are_those_looked_up(wire, kind, state, code: Code | None, overrides) -> None:
    expected = outbound._looked_up(wire, kind, state, code, overrides)
    assert outbound._chosen(wire, kind, state, code, overrides) == expected


@given(WRITTEN | st.text(max_size=40), st.sampled_from(["utf-8", "cp1252", "ascii"]), st.integers(0, 30))
@settings(max_examples=300)
def test_plain_text_goes_out_as_any_text(value: str, encoding, longest: int) -> None:
    structure = str.maketrans("[]|", "() ")
    expected = encoded(printable(value).translate(structure).strip(), encoding, longest)
    assert station._text(value, DataOptions(encoding=encoding, longest=longest)) == expected


AT = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
NUMBERS = st.none() | st.sampled_from(["", "1", "01", "007", "ABC", "é"])
ADDRESSES = st.builds(Address, st.sampled_from(["6F01", "6f01", "#"]), NUMBERS, NUMBERS)
CHANGED = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(sorted(KINDS))}),
    st.fixed_dictionaries({"state": st.sampled_from(["new", "restore", "still"])}),
    st.fixed_dictionaries({"user": st.sampled_from(["", "1", "12"])}),
    st.fixed_dictionaries({"text": st.sampled_from(["", "North gate"])}),
    st.fixed_dictionaries({"address": st.none() | ADDRESSES}),
    st.fixed_dictionaries(
        {"code": st.none() | st.builds(Code, sia=CODES, contact_id=CODES, number=NUMBERS, user_number=st.booleans())}
    ),
)


@given(
    st.sampled_from(["SIA-DCS", "ADM-CID"]),
    st.builds(
        DataOptions,
        dcs_group_as_ri=st.booleans(),
        numbers_in_text=st.booleans(),
        overrides=st.sampled_from([{}, {"burglary": "E137"}, {"burglary": "BV"}]),
    ),
    st.tuples(ADDRESSES, ADDRESSES),
    st.lists(CHANGED, max_size=20),
)
@settings(max_examples=300)
def test_what_is_remembered_is_what_would_be_written(form, options: DataOptions, addresses, changes) -> None:
    """Events that differ in one thing from the one before, each said under two addresses."""
    remembered = Remembered()
    event = Event(
        "1", "access_granted", AT, AT, "panels", code=Code(sia="OP", number="7"), user="3", address=addresses[0]
    )
    for change, address in product(({}, *changes), addresses):
        event = replace(event, **change)
        assert _told(form, event, address, options, remembered) == _told(form, event, address, options, None)


def _told(form, event: Event, address: Address, options: DataOptions, remembered: Remembered | None) -> object:
    try:
        return station_data(form, event, address, options, (), remembered)
    except Unsendable as error:
        return str(error)


BLOCKS = st.lists(st.builds(Extended, st.sampled_from("SLHVIU"), st.binary(max_size=20)), max_size=4)


@given(st.binary(max_size=30), BLOCKS, st.none() | st.just(datetime(26, 3, 4, 8, 15, tzinfo=UTC)), st.booleans())
@settings(max_examples=150)
def test_the_length_is_counted_without_writing(data: bytes, blocks, at: datetime | None, marked: bool) -> None:
    data = data.translate(None, b"\r\n")
    blocks = tuple(Extended(each.letter, each.value.translate(None, b"\r\n")) for each in blocks)
    message = Message("SIA-DCS", "0001", "6F01", data=data, extended=blocks, timestamp=at, marked=marked)
    assert body_length(message) == len(write(message)) - FRAME_OVERHEAD


LINKS = st.lists(st.sampled_from(["https://a.example/1", "rtsp://b", "see ", " ", "x", "https://", '"']), max_size=4)


@given(LINKS.map("".join))
@settings(max_examples=150)
def test_one_link_reads_like_one_of_several(value: str) -> None:
    """With a second V that says nothing new, the general way is taken."""
    (alone,) = panel_events("SIA-DCS", b"#6F01|NBA1", [("V", value.encode())], "6F01")
    (beside,) = panel_events("SIA-DCS", b"#6F01|NBA1", [("V", value.encode()), ("V", b"ftp://c")], "6F01")
    assert beside.url.removesuffix("ftp://c").removesuffix(",") == alone.url
    assert beside.text == alone.text


def test_a_link_that_was_cut_at_a_blank_is_a_link() -> None:
    link = "https://a.example/" + "a" * 1005
    (event,) = panel_events("SIA-DCS", b"#6F01|NBA1", [("V", f"{link} and more".encode())], "6F01")
    assert (event.url, event.text) == (link, "")


SAID = st.sampled_from(["", "^text^", "^ä\x07 ^", "^", "^a^b^", "^" + "x" * 1100 + "^"])
NUMBERS = st.sampled_from(["", "0", "17", "0007", "1A", "2:3"])
MODIFIERS = st.sampled_from(["", "ri1/", "id3/", "id3/ri1/", "ti10:11/", "ti10:11:12/id2/ri03/", "ri1", "zz9/"])
SIA_CODES = st.sampled_from(["BA", "BR", "OP", "CL", "OG", "JP", "RP", "ZZ", "ba", "BJ"])


@given(st.sampled_from(["#6F01|", "#6f01|", "#1234|", "", "#|"]), MODIFIERS, SIA_CODES, NUMBERS, SAID)
@settings(max_examples=400)
def test_the_usual_message_reads_like_any(inner: str, modifiers: str, code: str, number: str, said: str) -> None:
    """Extended data that says nothing takes the general way."""
    data = f"{inner}N{modifiers}{code}{number}{said}".encode()
    (usual,) = panel_events("SIA-DCS", data, [], "6F01")
    (general,) = panel_events("SIA-DCS", data, [("Z", b"")], "6F01")
    assert usual == replace(general, extended=())
