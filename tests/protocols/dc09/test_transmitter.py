"""The sender's side: what counts as an answer to our message and what does not (dc09.md 13.1)."""

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace

from protocols.dc09.vectors import ACK_PAD, E1, E2, E7, E8, E10, K128, PAD, TIME, Vector
from tocsin.protocols.dc09.cipher import pad_length
from tocsin.protocols.dc09.errors import KeyMissing
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Extended, Message, clear_length, read, write
from tocsin.protocols.dc09.receiver import AccountRule, AccountTable, Receiver, Take
from tocsin.protocols.dc09.replies import ack, nak, rsp
from tocsin.protocols.dc09.transmitter import (
    Acknowledged,
    ClockOffsets,
    Failed,
    Ignored,
    Refused,
    Resync,
    Transmission,
    Verdict,
)

PLAIN = replace(E1.message, timestamp=None)
SECRET = replace(E7.message, timestamp=None)


def raw(frame: bytes) -> RawFrame:
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, RawFrame)
    return found


def verdict(body: bytes, message: Message = PLAIN, key: bytes | None = None) -> Verdict:
    return Transmission(message, key).judge(RawFrame(body), TIME)


def test_the_frame_is_dated_by_the_receivers_clock() -> None:
    assert Transmission(PLAIN).frame(TIME) == E1.frame
    assert Transmission(PLAIN).frame(TIME - timedelta(minutes=3), timedelta(minutes=3)) == E1.frame
    assert Transmission(PLAIN).pad_length == 0


def test_the_encrypted_frame_takes_its_pad_as_an_argument() -> None:
    transmission = Transmission(SECRET, K128)
    assert transmission.pad_length == len(PAD)
    assert transmission.frame(TIME, pad=PAD) == E7.frame
    chance = random.Random(4)
    assert transmission.frame(TIME, pad=transmission.pad(chance)) != transmission.frame(
        TIME, pad=transmission.pad(chance)
    )


def test_acknowledged() -> None:
    assert Transmission(PLAIN).judge(raw(E2.frame), TIME) == Acknowledged("ack")
    assert Transmission(SECRET, K128).judge(raw(E8.frame), TIME) == Acknowledged("ack")
    assert verdict(b'"ACK"0001L0#6f01[]') == Acknowledged("ack")
    assert verdict(b'"ACK"0001R7L9#6F01[]_08:15:30,03-04-2026') == Acknowledged("ack")


@pytest.mark.parametrize("example", [E1, E10, E7], ids=["plain", "other address", "encrypted"])
@pytest.mark.parametrize("seq", ["0001", "9999"])
def test_the_usual_acknowledgement_is_one_that_judge_takes(example: Vector, seq: str) -> None:
    message, key = replace(example.message, timestamp=None, seq=seq), K128 if example.message.encrypted else None
    sent = Transmission(message, key)
    assert not sent.is_usual(RawFrame(b""))
    sent.frame(TIME, pad=PAD if key else b"")
    for answered in (
        message,
        replace(message, seq="0002"),
        replace(message, account="6F77"),
        replace(message, prefix="9"),
    ):
        answer = raw(ack(replace(answered, encrypted=False), TIME))
        exact = answered == message and not message.encrypted
        assert sent.is_usual(answer) == exact
        if exact:
            assert sent.judge(answer, TIME) == Acknowledged("ack")
    assert not sent.is_usual(RawFrame(b""))


def test_a_response_is_an_acknowledgement_with_something_to_say() -> None:
    extended = (Extended("P", b"42"),)
    assert verdict(b'"RSP"0001L0#6F01[hello][P42]') == Acknowledged("rsp", b"hello", extended)
    answer = rsp(read(raw(E7.frame), K128), TIME, b"hello", extended)
    frame = raw(write(answer, K128, b"x" * pad_length(clear_length(answer))))
    assert Transmission(SECRET, K128).judge(frame, TIME) == Acknowledged("rsp", b"hello", extended)


def test_refused() -> None:
    assert verdict(b'"DUH"0001L0#6F01[]') == Refused()
    assert verdict(b'"DUH"0003L0#6F01[]', SECRET, K128) == Refused()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'"ACK"0002L0#6F01[]', "number 0002"),
        (b'"ACK"0000L0#6F01[]', "number 0000"),
        (b'"ACK"0001L0#6F02[]', "account 6F02"),
        (b'"ACK"0001L0#06F01[]', "account 06F01"),
        (b'"ACK"0001L0A0[]', "account A0"),
        (b'"DUH"0002L0#6F01[]', "number 0002"),
        (b'"DUH"0001L0#6F02[]', "account 6F02"),
        (b'"RSP"0002L0#6F01[]', "number 0002"),
        (b'"NAK"0007R0L0A0[]_08:15:30,03-04-2026', "number 0007"),
        (b'"NAK"0000R0L0#6F02[]_08:15:30,03-04-2026', "account 6F02"),
        (b'"SIA-DCS"0001L0#6F01[]', "SIA-DCS is not an answer"),
        (b'"NULL"0001L0#6F01[]', "NULL is not an answer"),
        (b'"*ACK"0001L0#6F01[' + b"00" * 32, "an encrypted ACK"),
        (b'"ACK"0001', "header"),
        (b"", "header"),
    ],
)
def test_what_is_no_answer_to_a_plain_message(body: bytes, reason: str) -> None:
    answer = verdict(body)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'"ACK"0003L0#6F01[]', "a plain ACK"),
        (b'"RSP"0003L0#6F01[hello]', "a plain RSP"),
        (b'"*ACK"0003L0#6F01[' + b"00" * 32, "another one than the sender's"),
        (b'"*ACK"0003L0#6F01[zz', "not hexadecimal"),
        (E8.frame[9:-1].replace(b"0003", b"0004"), "number 0004"),
    ],
)
def test_what_is_no_answer_to_an_encrypted_message(body: bytes, reason: str) -> None:
    answer = verdict(body, SECRET, K128)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason


def test_an_acknowledgement_under_another_key_does_not_count() -> None:
    forged = write(E8.message, b"not the true key", ACK_PAD)
    assert isinstance(Transmission(SECRET, K128).judge(raw(forged), TIME), Ignored)


@pytest.mark.parametrize(
    "body",
    [
        E10.frame[9:-1],
        b'"NAK"0000R0L0#6F01[]_08:15:30,03-04-2026',
        b'"NAK"0003R0L0A0[]_08:15:30,03-04-2026',
        b'"NAK"0000L0R0A0[]_08:15:30,03-04-2026',
    ],
)
def test_a_first_nak_corrects_the_clock_and_a_second_fails(body: bytes) -> None:
    transmission = Transmission(SECRET, K128)
    behind = TIME - timedelta(seconds=90, microseconds=-250)
    assert transmission.judge(RawFrame(body), behind) == Resync(timedelta(seconds=90))
    again = read(raw(transmission.frame(behind, timedelta(seconds=90), PAD)), K128)
    assert (again.seq, again.timestamp) == ("0003", TIME)
    assert isinstance(transmission.judge(RawFrame(body), behind), Failed)
    assert transmission.judge(raw(E8.frame), behind) == Acknowledged("ack")


def test_a_nak_that_cannot_help_fails_the_attempt() -> None:
    assert isinstance(verdict(b'"NAK"0000R0L0A0[]'), Failed)
    assert isinstance(verdict(b'"NAK"0000R0L0A0[]_99:99:99,99-99-9999'), Failed)
    far = Transmission(PLAIN).judge(raw(nak(TIME + timedelta(days=1, seconds=1))), TIME)
    assert isinstance(far, Failed)
    assert "+86401 s" in far.reason
    assert isinstance(Transmission(PLAIN).judge(raw(nak(TIME - timedelta(days=1, seconds=1))), TIME), Failed)
    assert isinstance(Transmission(PLAIN).judge(raw(nak(TIME + timedelta(days=1))), TIME), Resync)


def test_no_key_no_frame() -> None:
    with pytest.raises(KeyMissing):
        Transmission(SECRET).frame(TIME, pad=PAD)


def test_our_own_receiver_and_sender_agree_also_when_their_clocks_do_not() -> None:
    chance = random.Random(9)
    receiver = Receiver(AccountTable([(None, None, "6F01", AccountRule("6F01", key=K128))]))
    offsets = ClockOffsets()
    theirs = TIME + timedelta(hours=2)
    transmission = Transmission(SECRET, K128)

    def exchange() -> Verdict:
        frame = transmission.frame(TIME, offsets.of("host", TIME), transmission.pad(chance))
        answer = receiver.judge(raw(frame), theirs, chance)
        return transmission.judge(raw(answer.reply), TIME)  # type: ignore[union-attr]

    first = exchange()
    assert first == Resync(timedelta(hours=2))
    assert offsets.note("host", first.offset, TIME)
    assert exchange() == Acknowledged("ack")


def test_offsets_are_kept_per_host_limited_and_forgotten() -> None:
    offsets = ClockOffsets()
    assert offsets.of("a", TIME) == timedelta(0)
    assert offsets.note("a", timedelta(minutes=-7), TIME)
    assert offsets.of("a", TIME + timedelta(hours=23, minutes=59)) == timedelta(minutes=-7)
    assert offsets.of("b", TIME) == timedelta(0)
    assert not offsets.note("a", timedelta(days=1, seconds=1), TIME)
    assert offsets.of("a", TIME) == timedelta(minutes=-7)
    assert offsets.of("a", TIME + timedelta(hours=24)) == timedelta(0)
    assert offsets.of("a", TIME) == timedelta(0)


def test_a_take_carries_the_reply_that_the_sender_accepts() -> None:
    receiver = Receiver(AccountTable([(None, None, "6F01", AccountRule("6F01"))]))
    take = receiver.judge(raw(E1.frame), TIME, random.Random(1))
    assert isinstance(take, Take)
    assert Transmission(PLAIN).judge(raw(take.reply), TIME) == Acknowledged("ack")
