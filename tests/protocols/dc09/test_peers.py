"""Independent implementations read what we write, and we read what they write."""

import random
from datetime import UTC, datetime

import pytest
from my_dc09_spt.msg.dc09_msg import dc09_msg
from pysiaalarm import SIAAccount
from pysiaalarm.base_server import BaseSIAServer
from pysiaalarm.utils import Counter
from siadc09 import account as their_account
from siadc09 import message as their_message
from siadc09 import siadcs as their_siadcs

from protocols.dc09.vectors import (
    E1,
    E3,
    E5,
    E7,
    E7B,
    E7C,
    E7D,
    E9,
    E10,
    E12,
    E13,
    E14,
    E15,
    K128,
    K256,
    TIME,
    VECTORS,
    Vector,
)
from tocsin.protocols.dc09.cipher import make_pad
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Extended, Message, read, write
from tocsin.protocols.dc09.receiver import AccountRule, AccountTable, Answer, Receiver, Silence, Take
from tocsin.protocols.dc09.replies import ACK_PAD, ack, duh, nak
from tocsin.protocols.dc09.transmitter import Acknowledged, Failed, Transmission

NAMES = {vector.name: vector for vector in VECTORS}
SIADC09_CANNOT = {
    "E10 time outside the window": "wants # before the account, which NAK does not have",
    "capture: NAK": "wants # before the account, which NAK does not have",
    "E15 checksum in two bytes": "reads checksums in characters only",
}
PYSIAALARM_CAN = [E1, E5, E7, E7B, E7C, E7D, E9, E13, E14] + [
    NAMES[name]
    for name in (
        "capture: NULL",
        "capture: code without slash",
        "capture: Contact ID test",
        "stations.md 5: all fields",
        "stations.md 5: supervision",
    )
]


def raw(frame: bytes) -> RawFrame:
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, RawFrame)
    return found


def named(vector: Vector) -> str:
    return vector.name


@pytest.mark.parametrize("vector", [each for each in VECTORS if each.name not in SIADC09_CANNOT], ids=named)
def test_siadc09_reads_every_frame_we_write(vector: Vector) -> None:
    ours = vector.message
    theirs = their_message.parse_frame(write(ours, vector.key, vector.pad), vector.key)
    assert (theirs.idtoken, theirs.seq, theirs.encrypted) == (ours.token, int(ours.seq), ours.encrypted)
    assert theirs.account.acct == int(ours.account, 16)
    assert (theirs.account.pref or 0, theirs.account.rcvr or 0) == (
        int(ours.prefix or "0", 16),
        int(ours.receiver or "0", 16),
    )
    assert theirs.timestamp == ours.timestamp
    if ours.token not in ("ACK", "DUH"):
        assert [each.prefix for each in theirs.xdata] == [each.letter for each in ours.extended]
    for each, block in zip(theirs.xdata, ours.extended, strict=True):
        assert not isinstance(each.value, str) or each.value.encode() == block.value


@pytest.mark.parametrize("name", SIADC09_CANNOT)
def test_siadc09_still_cannot_read_the_exceptions(name: str) -> None:
    with pytest.raises(RuntimeError):
        their_message.parse_frame(NAMES[name].frame)


@pytest.mark.parametrize("account", ["123", "000110", "B12345", "0123456789ABCDEF"])
@pytest.mark.parametrize("key", [None, K128, K256], ids=["plain", "AES-128", "AES-256"])
def test_siadc09_reads_our_replies(account: str, key: bytes | None) -> None:
    message = Message("SIA-DCS", "0042", account, prefix="20", receiver="1", encrypted=key is not None)
    pad = make_pad(ACK_PAD, random.Random(6))
    theirs = their_message.parse_frame(ack(message, TIME, key, pad), key)
    assert (type(theirs), theirs.seq, theirs.account.acct) == (their_message.AckMessage, 42, int(account, 16))
    assert theirs.timestamp == (TIME if key else None)
    refusal = their_message.parse_frame(duh(message))
    assert (type(refusal), refusal.seq) == (their_message.DuhMessage, 42)


def siadc09_event(key: bytes | None) -> bytes:
    account = their_account.Account(acct=0x6F01, pref=0x20, rcvr=0x1, key=key)
    data = their_siadcs.parse_siadcs(b"#6F01|Nri2/BA17")
    config = {"idtoken": "SIA-DCS", "seqno": 9, "data": data, "timestamp": TIME, "encrypted": key is not None}
    encoded: bytes = their_message.EventMessage(account, config=config).encode()
    return encoded


@pytest.mark.parametrize("key", [None, K128, K256], ids=["plain", "AES-128", "AES-256"])
def test_siadc09_as_panel(key: bytes | None) -> None:
    receiver = Receiver(AccountTable([("1", "20", "6F01", AccountRule("6F01", key=key))]))
    take = receiver.judge(raw(siadc09_event(key)), TIME, random.Random(1))
    assert isinstance(take, Take)
    assert (take.message.seq, take.account, take.message.receiver, take.message.prefix) == ("0009", "6F01", "1", "20")
    assert take.message.data.startswith(b"#6F01|Nri2/BA")
    assert isinstance(their_message.parse_frame(take.reply, key), their_message.AckMessage)


@pytest.mark.parametrize("key", [None, K128, K256], ids=["plain", "AES-128", "AES-256"])
def test_siadc09_as_receiver(key: bytes | None) -> None:
    ours = Message("SIA-DCS", "0003", "6F01", encrypted=key is not None, data=b"#6F01|Nri2/BA17")
    transmission = Transmission(ours, key)
    got = their_message.parse_frame(transmission.frame(TIME, pad=transmission.pad(random.Random(2))), key)
    reply = their_message.AckMessage(got.account, got.seq, TIME, got.encrypted).encode()
    assert transmission.judge(raw(reply), TIME) == Acknowledged("ack")


def pysiaalarm_server(account: str, key: bytes | None, timeband: tuple[int, int] | None = None) -> BaseSIAServer:
    rule = SIAAccount(account, key.decode() if key else None, allowed_timeband=timeband)
    return BaseSIAServer({account: rule}, Counter())


@pytest.mark.parametrize("vector", PYSIAALARM_CAN, ids=named)
def test_pysiaalarm_as_receiver(vector: Vector) -> None:
    server = pysiaalarm_server(vector.message.account, vector.key)
    transmission = Transmission(vector.message, vector.key)
    frame = write(vector.message, vector.key, vector.pad)
    event = server.parse_and_check_event(frame)
    assert event is not None
    assert event.valid_message
    assert (event.account, event.sequence, event.timestamp) == (
        vector.message.account, vector.message.seq, vector.message.timestamp,
    )  # fmt: skip
    # Its reply has the word None where a message had no receiver number, and no bar in an encrypted one.
    assert transmission.judge(raw(event.create_response()), TIME) == Acknowledged("ack")


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        (E3, "reads one extended block at most in a Contact ID message"),
        (E10, "reads no replies"),
        (E15, "reads checksums in characters only"),
    ],
    ids=["E3", "E10", "E15"],
)
def test_pysiaalarm_still_answers_the_exceptions_with_nak(vector: Vector, why: str) -> None:
    event = pysiaalarm_server(vector.message.account, None).parse_and_check_event(vector.frame)
    assert event is not None
    reply = read(raw(event.create_response()))
    assert (reply.token, reply.account, reply.marked) == ("NAK", "A0", False), why


def test_pysiaalarm_still_does_not_answer_text_beyond_ascii() -> None:
    event = pysiaalarm_server("6F01", None).parse_and_check_event(E12.frame)
    assert event is not None
    assert FrameReader().feed(event.create_response()) == []


def test_pysiaalarm_sends_our_clock_back_when_it_is_wrong() -> None:
    transmission = Transmission(E7.message, K128)
    event = pysiaalarm_server("6F01", K128, (40, 20)).parse_and_check_event(E7.frame)
    assert event is not None
    verdict = transmission.judge(raw(event.create_response()), TIME)
    assert isinstance(verdict, Failed)
    assert "more than a day" in verdict.reason


def take_from_dialler(block: str, key: bytes | None) -> Take | Answer | Silence:
    receiver = Receiver(AccountTable([(None, None, "012345", AccountRule("012345", key=key))]))
    return receiver.judge(raw(block.encode()), datetime.now(UTC), random.Random(3))


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
@pytest.mark.parametrize("line", [None, 0, 32], ids=["no L", "L0", "L20"])
@pytest.mark.parametrize("key", [None, K128, K256], ids=["plain", "AES-128", "AES-256"])
@pytest.mark.parametrize("token", ["NULL", "SIA-DCS"])
def test_my_dc09_spt_as_panel(token: str, key: bytes | None, line: int | None) -> None:
    dialler = dc09_msg("012345", key, 1 if line else None, line)
    payload = "]" if token == "NULL" else "#012345|Nri1/BA17][Lgate][X5.9]"
    take = take_from_dialler(dialler.dc09block(7, token, payload), key)
    assert isinstance(take, Take)
    assert take.link_test is (token == "NULL")
    if not take.link_test:
        assert (take.message.data, take.message.extended) == (
            b"#012345|Nri1/BA17", (Extended("L", b"gate"), Extended("X", b"5.9")),
        )  # fmt: skip
    answer = dialler.dc09answer(7, take.reply.decode())
    assert answer[0] == "ACK"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
def test_my_dc09_spt_learns_our_clock() -> None:
    answer, offset = dc09_msg("012345", K128).dc09answer(7, nak(datetime.now(UTC)).decode())
    assert answer == "NAK"
    assert abs(offset) < 60


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
def test_my_dc09_spt_understands_a_refusal() -> None:
    answer = take_from_dialler(dc09_msg("999", None).dc09block(7, "SIA-DCS", "#999|Nri1/BA17]"), None)
    assert isinstance(answer, Answer)
    assert answer.reason == "unknown_account"
    assert dc09_msg("999", None).dc09answer(7, answer.reply.decode())[0] == "DUH"
