"""Any answer of a SOAP service is a receipt, a refusal or a later try, each with a sentence; noise is no receipt."""

from datetime import UTC, datetime

from tocsin.destinations.stages.answers import judged
from tocsin.transports.http import HttpAnswer

NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
ENVELOPE = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>%b</s:Body></s:Envelope>'
SEEDS = (
    b"\0"
    + ENVELOPE % b'<SignalResponse xmlns="http://tempuri.org/"><SignalResult>false</SignalResult></SignalResponse>',
    b"\1" + ENVELOPE % b"<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>",
    b"\1" + ENVELOPE % b"<s:Fault><faultcode>Server.x</faultcode><faultstring>no</faultstring></s:Fault>",
    b'\0<!DOCTYPE e [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><e>&c;</e>',
    b"\2<html>",
)


def one(data: bytes) -> None:
    status = (200, 500, 400, 202, 503)[data[0] % 5] if data else 200
    verdict = judged(HttpAnswer(status, "", (), data[1:]), "arc", NOW, ["false"], False)
    assert verdict.word in ("delivered", "refused", "retry")
    assert verdict.reason or verdict.word == "delivered"
    if verdict.word == "delivered":
        assert status < 300
        assert not data[1:].strip() or b"Envelope" in data.replace(b"\0", b"")
