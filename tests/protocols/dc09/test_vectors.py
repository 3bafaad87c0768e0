"""Every published frame, read and written byte for byte, however it arrives."""

import pytest
from msgspec.structs import replace

from protocols.dc09.vectors import (
    ACK_PAD,
    E1,
    E2,
    E3,
    E4,
    E5,
    E6,
    E7,
    E8,
    E9,
    E10,
    E11,
    E15,
    K128,
    PAD,
    TIME,
    VECTORS,
    Vector,
)
from tocsin.protocols.dc09.cipher import pad_length
from tocsin.protocols.dc09.crc import crc16_arc
from tocsin.protocols.dc09.frames import FrameReader, RawFrame, read_datagram
from tocsin.protocols.dc09.message import body_length, clear_length, header, read, write
from tocsin.protocols.dc09.replies import ack, duh, nak

each = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)


def only_frame(data: bytes) -> RawFrame:
    (found,) = FrameReader().feed(data)
    assert isinstance(found, RawFrame)
    return found


def test_the_checksum_has_its_check_value() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D
    assert crc16_arc(b"") == 0


@each
def test_it_is_read(vector: Vector) -> None:
    message = read(only_frame(vector.frame), vector.key)
    assert replace(message, timestamp_raw=b"") == vector.message
    assert only_frame(vector.frame).binary_crc is vector.binary_crc


@each
def test_it_is_written_byte_for_byte(vector: Vector) -> None:
    assert write(vector.message, vector.key, vector.pad, vector.binary_crc) == vector.frame


@each
def test_what_was_read_is_written_again(vector: Vector) -> None:
    raw = only_frame(vector.frame)
    assert write(read(raw, vector.key), vector.key, vector.pad, raw.binary_crc) == vector.frame


@each
def test_it_is_found_byte_by_byte_and_with_bytes_behind(vector: Vector) -> None:
    whole = only_frame(vector.frame)
    reader = FrameReader()
    found = [each for byte in vector.frame for each in reader.feed(bytes([byte]))]
    assert found == [whole]
    assert FrameReader().feed(vector.frame + b"\0\r\n\nDEE8") == [whole]
    assert FrameReader().feed(b"xy" + vector.frame + vector.frame)[1:] == [whole, whole]


@each
def test_it_is_a_datagram(vector: Vector) -> None:
    assert read_datagram(vector.frame) == read_datagram(vector.frame + b"\0") == only_frame(vector.frame)


@each
def test_the_header_alone_tells_the_account(vector: Vector) -> None:
    head = header(only_frame(vector.frame))
    ours = vector.message
    assert (head.token, head.seq, head.account, head.prefix, head.receiver, head.encrypted, head.marked) == (
        ours.token, ours.seq, ours.account, ours.prefix, ours.receiver, ours.encrypted, ours.marked,
    )  # fmt: skip


@pytest.mark.parametrize("vector", [v for v in VECTORS if len(v.pad) != 11], ids=lambda vector: vector.name)
def test_lengths_are_known_before_writing(vector: Vector) -> None:
    assert body_length(vector.message) == len(only_frame(vector.frame).body)
    if vector.message.encrypted:
        assert pad_length(clear_length(vector.message)) == len(vector.pad)


@pytest.mark.parametrize(("asked", "reply"), [(E1, E2), (E3, E4), (E5, E6)], ids=["E2", "E4", "E6"])
def test_plain_acknowledgements(asked: Vector, reply: Vector) -> None:
    assert ack(read(only_frame(asked.frame)), TIME) == reply.frame
    assert ack(header(only_frame(asked.frame)), TIME) == reply.frame


def test_an_encrypted_message_gets_an_encrypted_acknowledgement() -> None:
    assert ack(read(only_frame(E7.frame), K128), TIME, K128, ACK_PAD) == E8.frame


def test_a_binary_checksum_is_answered_with_one() -> None:
    reply = ack(read(only_frame(E15.frame)), TIME, binary_crc=True)
    assert reply == b'\n\x27\x310012"ACK"0000L0#6F01[]\r'


def test_nak_carries_our_time_and_duh_repeats_the_address() -> None:
    assert nak(TIME) == E10.frame
    assert duh(replace(E1.message, seq="0004")) == E11.frame
    assert duh(replace(E7.message, seq="0004")) == E11.frame


def test_the_same_pad_gives_the_same_first_block() -> None:
    assert PAD.startswith(ACK_PAD)
    assert E7.frame.split(b"[")[1][:32] == E9.frame.split(b"[")[1][:32]
