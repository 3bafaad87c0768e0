"""What devices answer, read from bytes."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.protocols import xml
from tocsin.standins import onvif_answers as say
from tocsin.systems.onvif import facts, soap
from tocsin.systems.onvif.login import TRIES, WAIT_S, Login

NOW = datetime(2024, 5, 30, 22, 15, 4, tzinfo=UTC)


def body(inner: str) -> bytes:
    return say.envelope(inner)


def test_a_document_type_is_not_read_nor_a_giant() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]>' + body("<a>x</a>")[38:]
    with pytest.raises(soap.NotSoap, match="document type"):
        soap.answer(bomb)
    file = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    with pytest.raises(soap.NotSoap, match="document type"):
        soap.answer(file)
    with pytest.raises(soap.NotSoap, match="more than 4194304 bytes"):
        soap.answer(b" " * (soap.ANSWER_LIMIT + 1))


@pytest.mark.parametrize(
    ("data", "codes", "refused"),
    [
        (say.fault("Sender", "NotAuthorized", "Sender not Authorized"), ("Sender", "NotAuthorized"), True),
        (say.fault("Sender", "FailedAuthentication", ""), ("Sender", "FailedAuthentication"), True),
        (say.fault("Sender", "", "The action requested requires authorization and the sender is not authorized"),
         ("Sender", ""), True),
        (say.fault("Receiver", "ActionNotSupported", "no"), ("Receiver", "ActionNotSupported"), False),
        (b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Client</faultcode>'
         b"<faultstring>Unauthorized</faultstring></e:Fault></e:Body></e:Envelope>", ("Client",), True),
    ],
)  # fmt: skip
def test_faults(data: bytes, codes: tuple[str, ...], refused: bool) -> None:
    with pytest.raises(soap.SoapFault) as fault:
        soap.answer(data)
    assert (fault.value.codes, fault.value.not_authorized) == (codes, refused)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no XML"),
        (b"<html><body>404</body></html>", "no SOAP envelope but <html>"),
        (b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>', "its body is empty"),
    ],
)
def test_what_is_no_soap(data: bytes, why: str) -> None:
    with pytest.raises(soap.NotSoap, match=why):
        soap.answer(data)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-05-30T22:15:04Z", NOW),
        ("2024-05-30T22:15:04.0000000Z", NOW),
        ("2024-05-30-22:15:04Z", NOW),
        ("2024-05-31T01:15:04+03:00", NOW),
        ("2024-05-30T22:15:04", NOW),
        ("2024-13-30T22:15:04Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times(written: str, meant: datetime | None) -> None:
    assert facts.instant(written) == meant


def test_what_the_stand_in_says_is_read_back() -> None:
    nature = say.Nature(sources=2)
    assert facts.device_time(soap.answer(body(say.date_and_time(NOW)))) == NOW
    assert facts.information(soap.answer(body(say.information(nature)))).serial == "AC22-0004417"
    (interface,) = facts.interfaces(soap.answer(body(say.interfaces(nature))))
    assert (interface.mac, interface.addresses) == ("9c-8e-cd-12-34-f0", ("192.0.2.11",))
    assert facts.scopes(soap.answer(body(say.scopes(nature)))) == facts.Scopes(
        "Gate", "country/estonia/North depot", "AC-2200"
    )
    one, two = (facts.profiles(soap.answer(body(told(nature)))) for told in (say.profiles, say.profiles2))
    assert one == two
    assert [profile.source for profile in one] == ["VS1", "VS1", "VS2", "VS2"]
    reference = facts.subscription(soap.answer(body(say.subscribed("http://192.0.2.11/s", "7", NOW, NOW))))
    assert reference.address == "http://192.0.2.11/s"
    (parameter,) = reference.parameters
    assert xml.read(parameter.encode()).get("{http://www.w3.org/2005/08/addressing}IsReferenceParameter") == "true"


def test_a_topic_by_whatever_prefix() -> None:
    message = say.Message("tns1:VideoSource/MotionAlarm", (("Source", "VS1"),), (("State", "true"),), NOW)
    data = body(say.pulled([message], NOW, NOW)).replace(b"tns1", b"ns7")
    (read,) = facts.notifications(soap.answer(data))
    assert read == facts.Notification(
        "tns1:VideoSource/MotionAlarm", NOW, "Changed", (("Source", "VS1"),), (("State", "true"),)
    )


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_login_is_well_formed(user: str, password: str) -> None:
    token = soap.username_token(user, password, NOW, b"0123456789abcdef")
    root = xml.read(soap.envelope("<tds:GetScopes/>", token))
    assert xml.text_of(xml.first(root, "Created")) == "2024-05-30T22:15:04Z"
    assert xml.first(root, "GetScopes") is not None


def test_the_digest_of_the_onvif_programmers_guide() -> None:
    """The example of the standard's guide: nonce, time, password and their digest."""
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    created = datetime(2010, 9, 16, 7, 50, 45, tzinfo=UTC)
    token = soap.username_token("user", "userpassword", created, nonce)
    assert ">tuOSpGlFlIXsozq4HFNeeGeFLEI=<" in token


@given(st.binary(max_size=200), st.integers(0, 800), st.sampled_from(range(8)))
def test_any_bytes_are_a_meaning_or_a_fault(junk: bytes, at: int, which: int) -> None:
    nature = say.Nature(sources=2)
    message = say.Message("tns1:Device/Trigger/DigitalInput", (("InputToken", "1"),), (("LogicalState", "true"),), NOW)
    told = [
        say.date_and_time(NOW), say.information(nature), say.interfaces(nature), say.scopes(nature),
        say.profiles(nature), say.subscribed("http://192.0.2.11/s", "1", NOW, NOW), say.pulled([message], NOW, NOW),
        say.hostname(nature),
    ][which]  # fmt: skip
    data = body(told)
    for broken in (data[:at] + junk + data[at + len(junk) :], data[:at], junk):
        try:
            answer = soap.answer(broken)
        except (soap.NotSoap, soap.SoapFault):
            continue
        for reader in READERS:
            reader(answer)


READERS = (
    facts.device_time, facts.information, facts.services, facts.capabilities, facts.interfaces, facts.scopes,
    facts.hostname, facts.profiles, facts.uri, facts.subscription, facts.life_s, facts.notifications,
)  # fmt: skip


def test_three_wrong_passwords_then_an_hour() -> None:
    login = Login()
    for _ in range(TRIES):
        assert login.wait_s(1000.0) == 0
        login.was_refused(1000.0)
    assert login.wait_s(1000.0) == WAIT_S
    assert login.wait_s(1000.0 + WAIT_S) == 0
    login.was_refused(1000.0 + WAIT_S)
    assert login.wait_s(1000.0 + WAIT_S) == WAIT_S
    login.was_taken()
    assert (login.refused, login.wait_s(1000.0)) == (False, 0)
