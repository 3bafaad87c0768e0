"""What the stand-in Stages service refuses: a stand-in that takes anything proves nothing."""

import pytest

from tocsin.standins.stages import Demands, accepted, fault, read_signal

HEAD = '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body><Signal xmlns="http://tempuri.org/">'
TAIL = "</Signal></soap:Body></soap:Envelope>"
GOOD = {
    "PollMessageFlag": "false", "Receiver": "1", "Line": "2", "Account": "123456", "SignalFormat": "CID",
    "SignalCode": "E130", "Area": "1", "Point": "5", "Date": "2026-03-04 05:06:07", "TestSignalFlag": "false",
}  # fmt: skip


def body(**changes: str) -> bytes:
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in {**GOOD, **changes}.items())
    return (HEAD + elements + TAIL).encode()


def test_the_published_example_is_taken() -> None:
    assert read_signal(body()) == (GOOD, [])


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (b"", "no XML"),
        (b"<a/>", "no SOAP 1.2 envelope"),
        (body().replace(b"http://tempuri.org/", b"urn:x"), "no SOAP 1.2 envelope"),
        (body(Colour="red"), "Colour is not known"),
        (body().replace(b"<Line>2</Line>", b""), "Line is missing"),
        (body().replace(b"<Line>2</Line>", b"<Line/>"), "Line is empty"),
        (
            body().replace(b"<Receiver>1</Receiver><Line>2</Line>", b"<Line>2</Line><Receiver>1</Receiver>"),
            "the order is",
        ),
        (body().replace(b"<Line>2</Line>", b"<Line>2</Line><Line>2</Line>"), "Line comes twice"),
        (body(Account="47A1"), "Account is '47A1'"),
        (body(SignalCode="130"), "SignalCode is '130'"),
        (body(SignalCode="E1300100"), "SignalCode"),
        (body(Date="4.3.2026"), "Date is"),
        (body(PollMessageFlag="0"), "PollMessageFlag is '0'"),
        (body().replace(b"<Line>", b'<Line xmlns="urn:y">'), "another namespace"),
    ],
)
def test_what_is_wrong_is_said(document: bytes, part: str) -> None:
    _, problems = read_signal(document)
    assert part in "; ".join(problems)


def test_login_and_accounts_are_demanded() -> None:
    demands = Demands(user="u", password="p", accounts=("1",))
    assert read_signal(body(), demands)[1] == ["user or password is wrong", "account 123456 is not known"]


def test_its_answers_are_soap() -> None:
    assert b"<SignalResult>a&lt;b</SignalResult>" in accepted(Demands(result="a<b")).body
    assert (fault("Sender", "x").status, fault("Receiver", "x").status) == (400, 500)
