"""What a Stages service's answers mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.stages.answers import judged
from tocsin.transports.http import HttpAnswer

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SOAP11 = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
SOAP12 = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'
OLD = "<s:Fault><faultcode>{}</faultcode><faultstring>no such element</faultstring></s:Fault>"
NEW = "<s:Fault><s:Code><s:Value>{}</s:Value></s:Code><s:Reason><s:Text>no such element</s:Text></s:Reason></s:Fault>"
RESULT = '<SignalResponse xmlns="http://tempuri.org/"><SignalResult>{}</SignalResult></SignalResponse>'


def verdict(status: int, body: str, any_2xx: bool = False) -> tuple[str, str]:
    answer = HttpAnswer(status, "", (), body.encode())
    found = judged(answer, "arc", AT, ["false"], any_2xx)
    return found.word, found.reason or found.answer


@pytest.mark.parametrize(
    ("status", "body", "word", "part"),
    [
        (200, SOAP12.format("<SignalResponse/>"), "delivered", "HTTP 200"),
        (200, SOAP12.format(RESULT.format("OK 17")), "delivered", "result OK 17"),
        (200, SOAP11.format(RESULT.format("true")), "delivered", "result true"),
        (202, "", "delivered", "HTTP 202"),
        (200, SOAP12.format(RESULT.format("False")), "refused", "not taken"),
        (400, SOAP12.format(NEW.format("s:Sender")), "refused", "no such element"),
        (500, SOAP12.format(NEW.format("s:Sender")), "refused", "?WSDL"),
        (500, SOAP12.format(NEW.format("s:Receiver")), "retry", "s:Receiver: no such element"),
        (500, SOAP11.format(OLD.format("soap:Client")), "refused", "no such element"),
        (500, SOAP11.format(OLD.format("Client.Authentication")), "refused", "Client.Authentication"),
        (500, SOAP11.format(OLD.format("soap:Server")), "retry", "no such element"),
        (200, SOAP12.format(NEW.format("s:Receiver")), "retry", "s:Receiver"),
        (200, SOAP12.format(NEW.format("mine")), "refused", "mine"),
        (500, SOAP12.format(NEW.format("mine")), "retry", "mine"),
        (500, SOAP12.format("<s:Fault/>"), "retry", "without a code"),
        (500, "<html>broken</html>", "retry", "broken"),
        (404, "", "refused", "Check the path in urls"),
        (401, "", "unreachable", "login"),
        (302, "", "retry", "redirects"),
        (503, "", "retry", "503"),
        (200, "<html/>", "retry", "another document"),
        (200, "welcome", "retry", "not in SOAP"),
        (200, '<!DOCTYPE e [<!ENTITY x "y">]>' + SOAP12.format("&x;"), "retry", "document type"),
        (200, SOAP12.format("<SignalResponse/>")[:-5], "retry", "not in SOAP"),
    ],
)
def test_answers(status: int, body: str, word: str, part: str) -> None:
    found, said = verdict(status, body)
    assert found == word
    assert part in said


def test_any_2xx_where_the_station_says_so() -> None:
    assert verdict(200, "welcome", any_2xx=True)[0] == "delivered"
    assert verdict(200, SOAP12.format(NEW.format("s:Sender")), any_2xx=True)[0] == "refused"


@given(st.integers(100, 599), st.binary(max_size=200))
def test_any_answer_has_a_meaning_and_no_noise_is_a_receipt(status: int, body: bytes) -> None:
    found = judged(HttpAnswer(status, "", (), body), "arc", AT, ["false"], False)
    assert found.word in ("delivered", "refused", "retry", "unreachable")
    if found.word == "delivered":
        assert 200 <= status < 300
        assert not body.strip() or b"Envelope" in body
    else:
        assert found.reason
