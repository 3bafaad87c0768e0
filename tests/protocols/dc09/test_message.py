"""Messages: what is accepted, what is refused, and that nothing is lost on the way there and back."""

import random
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocols.dc09.vectors import E1, E7, E7B, E7C, E7D, E8, E9, K128, PAD, TIME, VECTORS, Vector
from tocsin.protocols.dc09.cipher import encrypt, make_pad, pad_length
from tocsin.protocols.dc09.errors import Dc09Error, KeyMissing, TooLong, Unreadable, Unwritable, WrongKey
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Extended, Message, clear_length, header, read, write
from tocsin.protocols.dc09.replies import ack
from tocsin.protocols.dc09.timestamps import format_time, in_window, read_time

ENCRYPTED = [E7, E7B, E7C, E7D, E8, E9]


def raw(frame: bytes) -> RawFrame:
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, RawFrame)
    return found


def secret(clear: bytes, head: bytes = b'"*SIA-DCS"0003L0#6F01[') -> RawFrame:
    """A frame of K128 with this clear text, filled to whole blocks by its pad."""
    pad = b"x" * (-len(clear) % 16)
    return RawFrame(head + encrypt(K128, pad + clear).hex().upper().encode())


QUIRKS = [
    # header as received, prefix, receiver, account, marked
    (b'"SIA-DCS"0001L#6F01[]', "", None, "6F01", True),
    (b'"SIA-DCS"0001#6F01[]', None, None, "6F01", True),
    (b'"SIA-DCS"0001R1#6F01[]', None, "1", "6F01", True),
    (b'"SIA-DCS"0001RL#6F01[]', "", "", "6F01", True),
    (b'"SIA-DCS"0001R00L00#00[]', "00", "00", "00", True),
    (b'"SIA-DCS"0001RALA#A0[]', "A", "A", "A0", True),
    (b'"SIA-DCS"0001L0#foc7688[]', "0", None, "foc7688", True),
    (b'"SIA-DCS"0001L0#[]', "0", None, "", True),
    (b'"SIA-DCS"0001L0#0123456789abcdef[]', "0", None, "0123456789abcdef", True),
    (b'"NAK"0000R0L0A0[]', "0", "0", "A0", False),
    (b'"NAK"0000R0L0#6F01[]', "0", "0", "6F01", True),
]


@pytest.mark.parametrize(("body", "prefix", "receiver", "account", "marked"), QUIRKS)
def test_addresses_are_kept_and_repeated_as_received(
    body: bytes, prefix: str | None, receiver: str | None, account: str, marked: bool
) -> None:
    message = read(RawFrame(body))
    assert (message.prefix, message.receiver, message.account, message.marked) == (prefix, receiver, account, marked)
    assert raw(write(message)).body == body
    assert raw(ack(message, TIME)).body == b'"ACK"' + body.partition(b'"')[2].partition(b'"')[2]


@pytest.mark.parametrize(
    ("body", "account"),
    [
        (b'"NAK"0000L0R0A0[]_08:15:30,03-04-2026', "A0"),
        (b'"ACK"0001NoneL0#6F01[]', "6F01"),
        (b'"ACK"0001L0R1#6F01[]', "6F01"),
    ],
)
def test_replies_with_odd_addresses_still_tell_number_and_account(body: bytes, account: str) -> None:
    head = header(RawFrame(body))
    assert (head.seq, head.account) == (body[5:9].decode(), account)


@pytest.mark.parametrize(
    ("body", "data", "extended", "stamp"),
    [
        (b"|Nri1/BA17]", b"|Nri1/BA17", (), b""),
        (b"#000110|Nri1BA503^Volum ^]_x", b"#000110|Nri1BA503^Volum ^", (), b"_x"),
        (b"a][H1][L2][L2][?odd][]_", b"a", (("H", b"1"), ("L", b"2"), ("L", b"2"), ("?", b"odd"), ("", b"")), b"_"),
        (b"a][Ia]b][Lc]", b"a", (("I", b"a]b"), ("L", b"c")), b""),
        (b"a]trailing", b"a", (), b"trailing"),
        (b"never closed", b"never closed", (), b""),
        (b"", b"", (), b""),
        (b"a][Inever closed", b"a", (), b"[Inever closed"),
    ],
)
def test_plain_payloads_are_never_refused(
    body: bytes, data: bytes, extended: tuple[tuple[str, bytes], ...], stamp: bytes
) -> None:
    message = read(RawFrame(b'"SIA-DCS"0001L0#6F01[' + body))
    assert message.data == data
    assert tuple((each.letter, each.value) for each in message.extended) == extended
    assert (message.timestamp, message.timestamp_raw) == (None, stamp)


@pytest.mark.parametrize(
    "body",
    [
        b'"SIA-DCS0001L0#6F01[]',
        b'""0001L0#6F01[]',
        b'"SIA-DCS"001L0#6F01[]',
        b'"SIA-DCS"00011L0#6F01[]',
        b'"SIA-DCS"0001L0#6F01',
        b'"SIA-DCS"0001X0#6F01[]',
        b'"SIA-DCS"0001L0#6F|01[]',
        b'"SIA-DCS"0001L0#\xc3\xa4[]',
        b'"SIA-DCS"0001L0#' + b"1" * 41 + b"[]",
        b'"SIA-DCS"0001R' + b"A" * 4000 + b"#1[]",
        b"",
    ],
)
def test_headers_that_cannot_be_read(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(RawFrame(body))


STAMP = b"_08:15:30,03-04-2026"


@pytest.mark.parametrize("clear", [b"|#6F01|Nri2/BA17]", b"0123456789]", b"]", b"|]", b"|data][H1][L2]"])
def test_any_pad_length_is_accepted_and_a_missing_bar_if_there_is_no_data(clear: bytes) -> None:
    message = read(secret(clear + STAMP), K128)
    assert message.data == clear.partition(b"|")[2].partition(b"]")[0]
    assert message.timestamp == TIME


@pytest.mark.parametrize(
    "clear",
    [
        b"no closing bracket " + STAMP,
        b"|data]",
        b"|data]_08:15:30,03-04-202",
        b"|data]_08:15:30,03-04-2026 ",
        b"|data]_08:61:30,03-04-2026",
        b"|data]_08:15:30,13-13-2026",
        b"|data]between_" + STAMP,
        b"|da[ta]" + STAMP,
        b"[|data]" + STAMP,
        b"|data][Hopen" + STAMP,
        b"\0" * 32,
    ],
)
def test_a_clear_text_that_is_no_message_means_a_wrong_key(clear: bytes) -> None:
    with pytest.raises(WrongKey):
        read(secret(clear), K128)


@pytest.mark.parametrize("tail", [b"", b"21", b"2" * 31, b"zz" * 16, b"21 " * 15, b"\xff" * 32, b"21" * 16 + b"]"])
def test_a_cipher_text_that_is_no_whole_number_of_blocks(tail: bytes) -> None:
    with pytest.raises(WrongKey):
        read(RawFrame(b'"*SIA-DCS"0003L0#6F01[' + tail), K128)


@pytest.mark.parametrize("vector", ENCRYPTED, ids=lambda vector: vector.name)
def test_no_wrong_key_is_ever_accepted(vector: Vector) -> None:
    chance = random.Random(vector.name)
    assert vector.key is not None
    frame = raw(vector.frame)
    keys = [chance.randbytes(size) for size in (16, 24, 32) for _ in range(400)]
    keys += [bytes([vector.key[0] ^ 1 << bit]) + vector.key[1:] for bit in range(8)]
    accepted = 0
    for key in keys:
        with suppress(WrongKey):
            read(frame, key)
            accepted += 1
    assert accepted == 0


def test_lower_case_cipher_text_is_read() -> None:
    head, _, tail = raw(E7.frame).body.partition(b"[")
    assert read(RawFrame(head + b"[" + tail.lower()), K128).data == E7.message.data


def test_an_encrypted_message_needs_a_key() -> None:
    with pytest.raises(KeyMissing):
        read(raw(E7.frame))
    with pytest.raises(KeyMissing):
        write(E7.message, pad=PAD)


@pytest.mark.parametrize(
    ("message", "pad"),
    [
        (E7.message, PAD[:-1]),
        (E7.message, b"|" + PAD[1:]),
        (E7.message, b"]" + PAD[1:]),
        (E7.message, b"\n" + PAD[1:]),
        (replace(E7.message, timestamp=None), PAD),
        (replace(E1.message, data=b"two\nlines"), b""),
        (replace(E1.message, extended=(Extended("I", b"two\rlines"),)), b""),
    ],
)
def test_what_cannot_be_written(message: Message, pad: bytes) -> None:
    with pytest.raises(Unwritable):
        write(message, K128, pad)


def test_a_message_over_the_largest_length_is_refused() -> None:
    with pytest.raises(TooLong):
        write(replace(E1.message, data=b"x" * 4095))


def test_errors_and_values_never_show_a_key() -> None:
    with pytest.raises(WrongKey) as caught:
        read(raw(E7.frame), b"not the true key")
    assert "not the true key" not in str(caught.value)
    assert "5345" not in repr(Extended("K", b"5345435245542E5345435245542E5345"))


def test_pads_are_letters_and_digits_of_the_right_length() -> None:
    seeded = random.Random(7)
    for clear in range(200):
        length = pad_length(clear)
        assert 16 <= length <= 31
        assert (length + clear) % 16 == 0
        pad = make_pad(length, seeded)
        assert len(pad) == length
        assert pad.isalnum()
    assert len(set(make_pad(5000, seeded))) == 62
    many = make_pad(100_000, seeded)
    assert 0.125 < sum(many.count(letter) for letter in b"ABCDEFGH") / len(many) < 0.133
    assert make_pad(16, random.Random(1)) == make_pad(16, random.Random(1)) != make_pad(16, random.Random(2))


ADDRESS = st.text("0123456789ABCDEFabcdef", min_size=1, max_size=6)
VALUE = st.binary(max_size=60).map(lambda value: value.translate(None, b"[]\r\n"))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
MESSAGES = st.builds(
    Message,
    token=st.sampled_from(["SIA-DCS", "ADM-CID", "NULL", "XNM", "RSP", "VIS-BBA"]),
    seq=st.integers(0, 9999).map("{:04d}".format),
    account=st.text("0123456789ABCDEFfoc", min_size=3, max_size=16),
    prefix=st.none() | st.just("") | ADDRESS,
    receiver=st.none() | ADDRESS,
    encrypted=st.booleans(),
    data=VALUE,
    extended=st.lists(st.builds(Extended, st.sampled_from("AHILVJUX?"), VALUE), max_size=5).map(tuple),
    timestamp=MOMENTS.map(lambda moment: moment.replace(microsecond=0)),
)
KEYS = st.sampled_from([16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@settings(max_examples=150, deadline=None)
@given(MESSAGES, KEYS, st.integers(0, 1 << 32), st.booleans())
def test_every_message_comes_back(message: Message, key: bytes, seed: int, binary_crc: bool) -> None:
    pad = make_pad(pad_length(clear_length(message)), random.Random(seed))
    frame = write(message, key, pad, binary_crc)
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, RawFrame)
    again = read(found, key)
    assert replace(again, timestamp_raw=b"") == message
    assert write(again, key, pad, found.binary_crc) == frame


HEADS = st.sampled_from([b"", b'"*SIA-DCS"0003L0#6F01[', b'"NULL"0000L0#1['])


@settings(max_examples=200, deadline=None)
@given(HEADS, st.binary(max_size=200))
def test_any_body_is_a_message_or_an_error(head: bytes, rest: bytes) -> None:
    for key in (None, K128):
        with suppress(Dc09Error):
            assert isinstance(read(RawFrame(head + rest), key), Message)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=96).map(lambda text: text + b"|" * (-len(text) % 16)))
def test_any_clear_text_is_a_message_or_a_wrong_key(clear: bytes) -> None:
    frame = RawFrame(b'"*SIA-DCS"0003L0#6F01[' + encrypt(K128, clear).hex().encode())
    with suppress(WrongKey):
        assert isinstance(read(frame, K128), Message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"_08:15:30,03-04-2026", TIME),
        (b"08:15:30,03-04-2026", TIME),
        (b"_08:15:30,04-03-2026", datetime(2026, 4, 3, 8, 15, 30, tzinfo=UTC)),
        (b"_24:00:00,03-04-2026", None),
        (b"_08:15:30,13-04-2026", None),
        (b"_08:15:30,02-30-2026", None),
        (b"_08:15:30,03-04-0000", None),
        (b"_08.15:30,03-04-2026", None),
        (b"_ 8:15:30,03-04-2026", None),
        (b"_08:15:30,03-04-26", None),
        ("_08:15:30,03-04-202\u0666".encode(), None),
        (b"_08:15:30,03-04-2026\n", None),
        (b"", None),
    ],
)
def test_times(text: bytes, expected: datetime | None) -> None:
    assert read_time(text) == expected


def test_times_of_panels_with_their_own_clock() -> None:
    tallinn = ZoneInfo("Europe/Tallinn")
    assert read_time(b"_10:15:30,03-04-2026", tallinn) == TIME
    assert read_time(b"_08:15:30,04-03-2026", day_first=True) == TIME
    assert read_time(b"_00:00:00,01-01-0001", tallinn) is None
    assert format_time(TIME.astimezone(tallinn)) == b"08:15:30,03-04-2026"


@pytest.mark.parametrize(
    ("ahead_s", "inside"), [(0, True), (20, True), (21, False), (-40, True), (-41, False), (86400, False)]
)
def test_the_edges_of_the_window(ahead_s: int, inside: bool) -> None:
    sent = datetime.fromtimestamp(TIME.timestamp() + ahead_s, UTC)
    assert in_window(sent, TIME) is inside
    assert in_window(sent, TIME.replace(microsecond=999999)) is inside


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_one_changed_byte_never_passes_unnoticed(vector: Vector) -> None:
    for place in range(len(vector.frame)):
        changed = bytearray(vector.frame)
        changed[place] ^= 0x04
        found = FrameReader().feed(bytes(changed))
        bodies = [each.body for each in found if isinstance(each, RawFrame)]
        assert not bodies or bodies == [raw(vector.frame).body]
