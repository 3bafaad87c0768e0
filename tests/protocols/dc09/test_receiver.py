"""The receiver's decision (dc09.md 12): who is answered what, and that an alarm is never refused without need."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocols.dc09.vectors import E1, E2, E3, E4, E5, E6, E7, E7D, E8, E9, E10, E15, K128, K256, TIME
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Extended, Message, read, write
from tocsin.protocols.dc09.receiver import AccountRule, AccountTable, Answer, Receiver, Silence, Take, repeat_key
from tocsin.protocols.dc09.replies import rsp

PLAIN = AccountRule("6F01")
SECRET = AccountRule("6F01", key=K128)


def raw(frame: bytes) -> RawFrame:
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, RawFrame)
    return found


def judge(frame: bytes | RawFrame, rule: AccountRule = PLAIN, now: datetime = TIME) -> Take | Answer | Silence:
    receiver = Receiver(AccountTable([(None, None, rule.account, rule)]))
    return receiver.judge(frame if isinstance(frame, RawFrame) else raw(frame), now, random.Random(5))


def taken(frame: bytes | RawFrame, rule: AccountRule = PLAIN, now: datetime = TIME) -> Take:
    verdict = judge(frame, rule, now)
    assert isinstance(verdict, Take)
    return verdict


def body(text: bytes) -> RawFrame:
    return RawFrame(text)


def test_an_event_is_taken_and_acknowledged() -> None:
    take = taken(E1.frame)
    assert take.reply == E2.frame
    assert replace(take.message, timestamp_raw=b"") == E1.message
    assert (take.link_test, take.account, take.sent_at, take.flags) == (False, "6F01", TIME, ())
    assert len(take.repeat_key) == 16
    assert taken(E3.frame, AccountRule("004711")).reply == E4.frame


def test_a_link_test_is_never_a_repeat() -> None:
    take = taken(E5.frame)
    assert (take.reply, take.link_test, take.repeat_key) == (E6.frame, True, b"")
    extended = taken(body(b'"XNM"0001L0#6F01[][CDP]'))
    assert (extended.link_test, extended.repeat_key) == (True, b"")


def test_a_binary_checksum_is_answered_in_kind() -> None:
    assert raw(taken(E15.frame).reply) == RawFrame(E6.frame[9:-1], binary_crc=True)
    unknown = judge(E15.frame, AccountRule("1234"))
    assert isinstance(unknown, Answer)
    assert raw(unknown.reply).binary_crc


def test_an_encrypted_event_gets_an_encrypted_acknowledgement_with_a_fresh_pad() -> None:
    receiver = Receiver(AccountTable([(None, None, "6F01", SECRET)]))
    chance = random.Random(1)
    replies = {receiver.judge(raw(E7.frame), TIME, chance).reply for _ in range(5)}  # type: ignore[union-attr]
    assert len(replies) == 5
    for reply in replies:
        assert replace(read(raw(reply), K128), timestamp_raw=b"") == E8.message


@pytest.mark.parametrize("late_s", [-20, -19, 0, 1, 40])
def test_inside_the_window(late_s: int) -> None:
    assert isinstance(judge(E7.frame, SECRET, TIME + timedelta(seconds=late_s)), Take)


@pytest.mark.parametrize("late_s", [-21, 41, 86400, -86400])
def test_outside_the_window(late_s: int) -> None:
    now = TIME + timedelta(seconds=late_s)
    verdict = judge(E7.frame, SECRET, now)
    assert isinstance(verdict, Answer)
    assert verdict.reason == "time_window"
    answer = read(raw(verdict.reply))
    assert (answer.token, answer.seq, answer.timestamp, answer.encrypted) == ("NAK", "0000", now, False)


def test_plain_messages_are_taken_whatever_their_time() -> None:
    later = TIME + timedelta(days=400)
    assert taken(E1.frame, now=later).sent_at == TIME
    strict = AccountRule("6F01", check_plain_time=True)
    verdict = judge(E1.frame, strict, later)
    assert isinstance(verdict, Answer)
    assert verdict.reason == "time_window"
    assert isinstance(judge(E1.frame, strict), Take)
    assert isinstance(judge(body(b'"SIA-DCS"0001L0#6F01[a]'), strict), Take)


@pytest.mark.parametrize(
    ("frame", "rule", "reason", "reply"),
    [
        (b'"SIA-DCS0001L0#6F01[]', PLAIN, "unreadable", b'"DUH"0000R0L0A0[]'),
        (b'"VIS-BBA"0001L0#6F01[]', PLAIN, "unknown_token", b'"DUH"0001L0#6F01[]'),
        (b'"SIA-DCS"0001R1L#6F02[]', PLAIN, "unknown_account", b'"DUH"0001R1L#6F02[]'),
        (b'"SIA-DCS"0001L0#6F01[]', SECRET, "plain_refused", b'"DUH"0001L0#6F01[]'),
        (b'"NULL"0000L0#6F01[]', SECRET, "plain_refused", b'"DUH"0000L0#6F01[]'),
        (E7.frame[9:-1], PLAIN, "no_key", b'"DUH"0003L0#6F01[]'),
        (E7.frame[9:-1], AccountRule("6F01", key=K256), "wrong_key", b'"DUH"0003L0#6F01[]'),
        (b'"*SIA-DCS"0003L0#6F01[zz', SECRET, "wrong_key", b'"DUH"0003L0#6F01[]'),
    ],
)
def test_what_cannot_be_processed(frame: bytes, rule: AccountRule, reason: str, reply: bytes) -> None:
    verdict = judge(RawFrame(frame), rule)
    assert isinstance(verdict, Answer)
    assert verdict.reason == reason
    assert raw(verdict.reply).body == reply


def test_plain_messages_of_an_account_with_a_key_can_be_allowed() -> None:
    rule = AccountRule("6F01", key=K128, allow_plain=True)
    assert taken(E1.frame, rule).reply == E2.frame
    assert taken(E7.frame, rule).message.encrypted


@pytest.mark.parametrize("reply", [E2, E10, E8], ids=lambda vector: vector.name)
def test_replies_are_never_answered(reply: object) -> None:
    assert judge(reply.frame) == Silence("reply_token", read(raw(reply.frame), K128).account)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        b'"SIA-DCS"0001L0#6F01[]',
        b'"SIA-DCS"0001L0#6F01[no such block]',
        b'"SIA-DCS"0001L0#6F01[never closed',
        b'"ADM-CID"0001L0#6F01[#6F01|9999]',
        b'"SIA-S2K"0001L0#6F01[\x80\xff\x00]',
        b'"SIA-DCS"0001L#6F01[|Nri1/BA17][?]]]',
        b'"SIA-DCS"0001#6f01[#6F01|Nri1/BA17]',
    ],
)
def test_a_readable_frame_of_a_known_account_is_always_taken(text: bytes) -> None:
    reply = taken(RawFrame(text)).reply
    assert raw(reply).body == b'"ACK"' + text[text.index(b'"', 1) + 1 : text.index(b"[")] + b"[]"


def test_what_is_odd_is_flagged() -> None:
    unreadable = taken(body(b'"SIA-DCS"0001L0#6F01[#6F01|Nri2/BA17]_99:15:30,03-04-2026'))
    assert (unreadable.sent_at, unreadable.flags) == (None, ("time_unreadable",))
    assert taken(body(b'"SIA-DCS"0001L0#6F01[#6F01|Nri2/BA17]')).flags == ()
    hub = taken(body(b'"SIA-DCS"0001L0#6F01[#0042|Nri2/BA17]'))
    assert (hub.account, hub.flags) == ("0042", ("account_differs",))
    assert raw(hub.reply).body == b'"ACK"0001L0#6F01[]'
    assert taken(body(b'"SIA-DCS"0001L0#6F01[#6f01|Nri2/BA17]')).flags == ()
    assert taken(body(b'"SIA-DCS"0001L0#6F01[|Nri2/BA17]')).account == "6F01"
    assert taken(body(b'"ITI-I"0001L0#6F01[#12|34]')).account == "6F01"


def test_panels_with_their_own_clock() -> None:
    local = AccountRule("6F01", key=K128, zone=ZoneInfo("Europe/Tallinn"), day_first=True)
    chance = random.Random(3)
    swapped = replace(E7.message, timestamp=None, timestamp_raw=b"_10:15:30,04-03-2026")
    frame = write(swapped, K128, bytes(chance.choices(b"abc", k=27)))
    assert taken(frame, local).sent_at == TIME
    unreadable = replace(E7.message, timestamp=None, timestamp_raw=b"_10:15:30,03-14-2026")
    verdict = judge(write(unreadable, K128, b"x" * 27), local)
    assert isinstance(verdict, Answer)
    assert verdict.reason == "wrong_key"


def test_failed_decryptions_are_limited_and_the_true_panel_still_gets_through() -> None:
    receiver = Receiver(AccountTable([(None, None, "6F01", SECRET)]), failures_per_minute=3)
    chance = random.Random(2)
    frame = raw(E7D.frame)
    verdicts = [receiver.judge(frame, TIME, chance) for _ in range(5)]
    assert [type(verdict) for verdict in verdicts] == [Answer, Answer, Answer, Silence, Silence]
    assert verdicts[-1] == Silence("decrypt_limit", "6F01")
    assert isinstance(receiver.judge(raw(E7.frame), TIME, chance), Take)
    assert isinstance(receiver.judge(frame, TIME + timedelta(seconds=59), chance), Silence)
    assert isinstance(receiver.judge(frame, TIME + timedelta(seconds=60), chance), Answer)
    assert [type(receiver.judge(frame, TIME + timedelta(minutes=1), chance)) for _ in range(3)] == [
        Answer,
        Answer,
        Silence,
    ]
    assert isinstance(receiver.judge(frame, TIME - timedelta(hours=1), chance), Answer)


def test_repeats_have_the_same_key_and_nothing_else_has() -> None:
    first = taken(E7.frame, SECRET)
    again = write(replace(E7.message, timestamp=TIME + timedelta(seconds=30)), K128, b"y" * 27)
    assert taken(again, SECRET, TIME + timedelta(seconds=30)).repeat_key == first.repeat_key
    message = E3.message
    others = [
        replace(message, seq="0003"),
        replace(message, account="004712"),
        replace(message, prefix="21"),
        replace(message, token="SIA-DCS"),
        replace(message, data=b"#004711|1130 02 018"),
        replace(message, extended=message.extended[1:]),
        replace(message, extended=(Extended("H", b"08:15:29,03-04-2026"), *message.extended[1:])),
        replace(
            message, data=message.data + b"H", extended=(Extended("", b"08:15:28,03-04-2026"), *message.extended[1:])
        ),
    ]
    keys = {repeat_key(each) for each in [message, *others]}
    assert len(keys) == 1 + len(others)
    assert repeat_key(replace(message, timestamp=None)) == repeat_key(message)


def test_the_most_exact_entry_of_the_table_wins_without_regard_to_case() -> None:
    rules = {name: AccountRule(name) for name in ("both", "receiver", "prefix", "account")}
    table = AccountTable(
        [
            ("1", "A0", "0012ab", rules["both"]),
            ("1", None, "0012AB", rules["receiver"]),
            (None, "A0", "0012AB", rules["prefix"]),
            (None, None, "0012AB", rules["account"]),
        ]
    )
    assert table.find("1", "a0", "0012aB") is rules["both"]
    assert table.find("1", "0", "0012AB") is rules["receiver"]
    assert table.find(None, "A0", "0012AB") is rules["prefix"]
    assert table.find("1", None, "0012AB") is rules["receiver"]
    assert table.find("2", "", "0012AB") is rules["account"]
    assert table.find("1", "A0", "12AB") is None
    without_both = AccountTable([("1", None, "1", rules["receiver"]), (None, "A0", "1", rules["prefix"])])
    assert without_both.find("1", "A0", "1") is rules["receiver"]


def test_a_rule_does_not_show_its_key() -> None:
    assert "Sample" not in repr(SECRET) + str(SECRET) + repr(taken(E7.frame, SECRET))


def test_a_response_is_encrypted_like_the_message() -> None:
    plain = rsp(read(raw(E1.frame)), TIME, b"hello", [Extended("P", b"42")])
    assert raw(write(plain)).body == b'"RSP"0001L0#6F01[hello][P42]'
    secret = rsp(read(raw(E7.frame), K128), TIME, b"hello")
    assert secret.encrypted
    assert secret.timestamp == TIME


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"", b'"SIA-DCS"0001', b'"*NULL"0000L0#6F01[', b'"SIA-DCS"0001L0#6F01[', b'"ACK"0000L0#6F01[']),
    st.binary(max_size=80),
    st.booleans(),
    st.sampled_from([PLAIN, SECRET]),
)
def test_every_body_is_judged_and_every_reply_is_a_frame(
    head: bytes, rest: bytes, binary_crc: bool, rule: AccountRule
) -> None:
    verdict = judge(RawFrame(head + rest, binary_crc), rule)
    if not isinstance(verdict, Silence):
        reply = raw(verdict.reply)
        assert reply.binary_crc is binary_crc
        assert read(reply, K128).token in ("ACK", "DUH", "NAK")


def test_an_account_served_for_anybody_is_the_callers_choice() -> None:
    class Anybody:
        def find(self, receiver: str | None, prefix: str | None, account: str) -> AccountRule:
            return AccountRule(account)

    verdict = Receiver(Anybody()).judge(body(b'"NULL"0000#foc7688[]'), datetime.now(UTC), random.Random(1))
    assert isinstance(verdict, Take)
    assert verdict.rule.account == "foc7688"


def test_an_encrypted_link_test() -> None:
    take = taken(E9.frame, SECRET)
    assert take.link_test
    assert read(raw(take.reply), K128).encrypted


def test_the_same_message_from_a_lower_case_panel_is_the_same_account() -> None:
    lower = Message("SIA-DCS", "0001", "6f01", data=b"x")
    assert repeat_key(lower) == repeat_key(replace(lower, account="6F01"))


HEADS = st.sampled_from(
    [
        b'"SIA-DCS"%bR1L0#6F01[',
        b'"ADM-CID"%bL0#6f01[',
        b'"SIA-DCS"%bL#6F01[',
        b'"NULL"%b#6F01[',
        b'"SIA-DCS"%bA6F01[',
        b'"*SIA-DCS"%bL0#6F01[',
        b'"SIA-PUL"%bL0#6F01[',
        b'"ACK"%b#6F01[',
        b'"SIA-DCS"%b[',
        b'"SIA-DCS"%b#6F01|[',
    ]
)
INSIDE = st.sampled_from([b"#6F01|", b"#6f01|", b"#1|", b"#6F01", b"|", b""])
ENDINGS = st.sampled_from([b"]", b"][SNorth]", b"", b"]x", b"]_08:15:30,03-04-2026", b"][V]_99:15:30,03-04-2026"])
NUMBERS = st.sampled_from([b"0000", b"0042", b"9999", b"12", b"00421", b"004[", "²²".encode(), b""])


@given(HEADS, NUMBERS, INSIDE, st.binary(max_size=12), ENDINGS, st.booleans(), st.sampled_from([PLAIN, SECRET]))
@settings(max_examples=400)
def test_a_header_met_before_changes_no_verdict(
    head: bytes, number: bytes, inside: bytes, rest: bytes, ending: bytes, binary_crc: bool, rule: AccountRule
) -> None:
    now, randomness = TIME, random.Random(5)
    accounts = AccountTable([(None, None, account, rule) for account in ("6F01", "A6F01", "")])
    receiver = Receiver(accounts)
    for text in (b"#6F01|NBA1]", b"#A6F01|NBA1]", b"]"):
        receiver.judge(body(head % b"0001" + text), now, randomness)
    asked = RawFrame(head % number + inside + rest + ending, binary_crc)
    assert receiver.judge(asked, now, random.Random(7)) == Receiver(accounts).judge(asked, now, random.Random(7))


def test_headers_that_are_remembered_are_bounded() -> None:
    class Anybody:
        def find(self, receiver: str | None, prefix: str | None, account: str) -> AccountRule:
            return PLAIN

    receiver = Receiver(Anybody())
    for n in range(9000):
        assert isinstance(receiver.judge(body(b'"SIA-DCS"0001L0#%d[]' % n), TIME, random.Random(1)), Take)
    assert 0 < len(receiver._lines) <= 4096
