"""Any answer of an ONVIF device is read into values, a refusal or a sentence; nothing else comes of it."""

from tocsin.systems.onvif import facts, soap

ENVELOPE = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>%b</s:Body></s:Envelope>'
SEEDS = (
    ENVELOPE % b"<R><UTCDateTime><Time><Hour>1</Hour></Time><Date><Year>2024</Year></Date></UTCDateTime></R>",
    ENVELOPE
    % b'<R><Profiles token="P"><VideoSource token="c"><SourceToken>v</SourceToken></VideoSource></Profiles></R>',
    ENVELOPE % b'<R><NotificationMessage><Topic xmlns:a="http://www.onvif.org/ver10/topics">a:B</Topic><Message '
    b'UtcTime="2024-05-30-22:15:04Z"><Data><SimpleItem Name="n" Value="1"/></Data></Message></NotificationMessage></R>',
    ENVELOPE % b"<R><SubscriptionReference><Address>x</Address><ReferenceParameters><i>1</i></ReferenceParameters>"
    b"</SubscriptionReference></R>",
    ENVELOPE % b"<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault>",
    b'<!DOCTYPE e [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><e>&c;</e>',
)
READERS = (
    facts.device_time, facts.information, facts.services, facts.capabilities, facts.interfaces, facts.scopes,
    facts.hostname, facts.profiles, facts.uri, facts.subscription, facts.life_s, facts.notifications,
)  # fmt: skip


def one(data: bytes) -> None:
    try:
        answer = soap.answer(data)
    except (soap.NotSoap, soap.SoapFault) as refused:
        assert str(refused)
        return
    for reader in READERS:
        reader(answer)
