"""Both sides of the dialogue by surgard.md 2: four attempts of four seconds, no late answer for another record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.protocols.surgard.host import LastRecords
from tocsin.protocols.surgard.reading import read
from tocsin.protocols.surgard.sender import ACK, NAK, Ended, Sender, Transmit

A, B = b"5011 181234E12101001\x14", b"5011 181234R12101001\x14"


def test_acknowledged_at_once() -> None:
    sender = Sender()
    assert sender.send(A, 0.0) == [Transmit(A)]
    assert sender.deadline == 4.0
    assert sender.receive(ACK, 0.1) == [Ended("acknowledged", 1)]
    assert sender.deadline is None


def test_four_attempts_of_four_seconds_then_silent() -> None:
    sender = Sender()
    sender.send(A, 0.0)
    assert sender.tick(3.9) == []
    for at in (4.0, 8.0, 12.0):
        assert sender.tick(at) == [Transmit(A)]
    assert sender.tick(16.0) == [Ended("silent", 4)]


def test_nak_is_repeated_at_once_then_every_second_then_given_up() -> None:
    sender = Sender()
    sender.send(A, 0.0)
    assert sender.receive(NAK, 0.1) == [Transmit(A)]
    assert sender.receive(NAK, 0.2) == []
    assert sender.deadline == 1.2
    assert sender.tick(1.2) == [Transmit(A)]
    assert sender.receive(NAK, 1.3) == []
    assert sender.tick(2.3) == [Transmit(A)]
    assert sender.receive(NAK, 2.4) == [Ended("refused", 4)]


def test_an_answer_to_an_earlier_copy_acknowledges_no_other_record() -> None:
    sender = Sender()
    sender.send(A, 0.0)
    assert sender.tick(4.0) == [Transmit(A)]
    assert sender.receive(ACK, 4.1) == [Ended("acknowledged", 2)], "whichever copy it was for, the record is stored"
    assert sender.send(B, 4.2) == [], "the answer to the other copy is still under way"
    assert sender.receive(ACK, 4.5) == [Transmit(B)], "it says nothing about B"
    assert sender.receive(ACK, 4.6) == [Ended("acknowledged", 1)]


def test_an_answer_that_does_not_come_calls_for_a_new_connection() -> None:
    sender = Sender()
    sender.send(A, 0.0)
    sender.tick(4.0)
    sender.receive(ACK, 4.1)
    assert sender.send(B, 4.2) == []
    assert sender.deadline == 8.1
    assert sender.tick(8.1) == [Ended("unsettled", 0)]


def test_what_comes_unasked_is_no_answer_to_what_follows() -> None:
    sender = Sender()
    assert sender.receive(ACK + NAK, 0.0) == []
    assert sender.send(A, 0.1) == [Transmit(A)]
    assert sender.receive(b"hello", 0.2) == []
    assert sender.receive(ACK + ACK, 0.3) == [Ended("acknowledged", 1, b"hello")]
    assert sender.send(B, 0.4) == [Transmit(B)]


def test_answers_of_several_bytes_come_in_pieces() -> None:
    sender = Sender(ack=b"ACK", nak=b"ANO")
    sender.send(A, 0.0)
    assert sender.receive(b"?A", 0.1) == []
    assert sender.receive(b"C", 0.2) == []
    assert sender.receive(b"K", 0.3) == [Ended("acknowledged", 1, b"?")]


@given(st.lists(st.tuples(st.floats(0.01, 10), st.binary(max_size=3)), max_size=40))
def test_whatever_comes_a_record_ends_after_four_attempts_at_most(coming: list[tuple[float, bytes]]) -> None:
    sender, now, sent, ended = Sender(), 0.0, 0, []
    steps = sender.send(A, now)
    for wait_s, data in [*coming, *[(20.0, b"")] * 8]:
        sent += sum(isinstance(each, Transmit) for each in steps)
        ended += [each for each in steps if isinstance(each, Ended)]
        if ended:
            break
        assert sender.deadline is not None
        late = now + wait_s >= sender.deadline
        now = sender.deadline if late else now + wait_s
        steps = sender.tick(now) if late else sender.receive(data, now)
    assert len(ended) == 1
    assert sent == ended[0].attempts <= 4
    assert ended[0].outcome != "acknowledged" or any(ACK in data for _, data in coming)


@pytest.fixture
def last() -> LastRecords:
    return LastRecords()


def test_a_record_equal_to_the_one_before_it_is_a_repeat_for_a_minute(last: LastRecords) -> None:
    alarm, restore = read(A[:-1]), read(B[:-1])
    assert not last.repeats(alarm, 0.0)
    last.kept(alarm, 0.0)
    assert last.repeats(alarm, 60.0)
    assert not last.repeats(alarm, 60.1)
    last.kept(restore, 10.0)
    assert not last.repeats(alarm, 11.0), "an alarm after its restore is a new one"


def test_receivers_do_not_hide_each_others_records(last: LastRecords) -> None:
    first, second = read(A[:-1]), read(b"5021 181234E12101001")
    last.kept(first, 0.0)
    assert not last.repeats(second, 1.0)
    last.kept(second, 1.0)
    assert last.repeats(first, 2.0)


def test_what_was_not_stored_is_new_when_it_comes_again(last: LastRecords) -> None:
    assert not last.repeats(read(A[:-1]), 0.0)
    assert not last.repeats(read(A[:-1]), 4.0)
