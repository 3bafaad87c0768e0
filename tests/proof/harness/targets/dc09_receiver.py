"""Any bytes, however split, give the same frames and drops; every frame gets a verdict whose reply is one frame."""

import random
from datetime import UTC, datetime

from tocsin.protocols.dc09.cipher import encrypt
from tocsin.protocols.dc09.errors import TooLong
from tocsin.protocols.dc09.frames import Dropped, FrameReader, RawFrame, wrap
from tocsin.protocols.dc09.receiver import AccountRule, AccountTable, Answer, Receiver, Silence, Take

KEY = bytes(range(16))
NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
ACCOUNTS = AccountTable(
    [
        (None, None, "9280", AccountRule("9280", repeat_window_s=90)),
        (None, None, "4711", AccountRule("4711", key=KEY, allow_plain=True)),
    ]
)
BODIES = (
    b'"SIA-DCS"0001R1L234#9280[#9280|Nri01/BA007]_19:15:04,05-30-2024',
    b'"ADM-CID"0002L0#9280[#9280|1130 01 007][Mfoto][Vhttp://x/1]',
    b'"NULL"0000L0#9280[]',
    b'"SIA-DCS"0003L0#4711[|#4711|Nri01/BA007]_19:15:04,05-30-2024',
    b'"ACK"0003L0#4711[]',
)
SECONDS = 600
SEEDS = (*(b"\0" + wrap(body) for body in BODIES), *(b"\1" + body for body in BODIES), b"\2" + bytes(48))


def one(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    stream = rest if kind in (b"", b"\0") else _framed(kind, rest)
    whole = FrameReader().feed(stream)
    assert _split(stream, len(rest)) == whole
    receiver, randomness = Receiver(ACCOUNTS), random.Random(1)
    for found in whole:
        if isinstance(found, RawFrame):
            _judge(receiver, found, randomness)
        else:
            assert isinstance(found, Dropped)


def _framed(kind: bytes, rest: bytes) -> bytes:
    """Bytes that pass length and checksum, so that what lies behind them is reached."""
    if kind == b"\2":
        secret = encrypt(KEY, rest + bytes(-len(rest) % 16)).hex().upper().encode()
        rest = b'"*SIA-DCS"0001L0#4711[' + secret
    try:
        return wrap(rest)
    except TooLong:
        return b""


def _split(stream: bytes, seed: int) -> list[RawFrame | Dropped]:
    reader, randomness, at = FrameReader(), random.Random(seed), 0
    found: list[RawFrame | Dropped] = []
    while at < len(stream):
        step = randomness.choice((1, 1, 2, 7, 40))
        found += reader.feed(stream[at : at + step])
        at += step
    return found


def _judge(receiver: Receiver, raw: RawFrame, randomness: random.Random) -> None:
    verdict = receiver.judge(raw, NOW, randomness)
    if isinstance(verdict, Silence):
        return
    assert isinstance(verdict, Take | Answer)
    (reply,) = FrameReader().feed(verdict.reply)
    assert isinstance(reply, RawFrame)
