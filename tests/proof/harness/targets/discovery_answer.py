"""Any datagram that answers a WS-Discovery question proposes devices that can be shown, or nothing."""

from tocsin.systems.onvif.discovery import unlisted
from tocsin.systems.onvif.facts import MOST
from tocsin.systems.onvif.probing import MOST_ADDRESSES, matches

ASKED = "urn:uuid:1"
ENVELOPE = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addr'
    b'essing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:RelatesTo>urn:uuid:1</a:RelatesTo>'
    b"</s:Header><s:Body><d:ProbeMatches>%b</d:ProbeMatches></s:Body></s:Envelope>"
)
MATCH = (
    b"<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:2</a:Address></a:EndpointReference><d:Scopes>"
    b"onvif://www.onvif.org/name/North%%20gate onvif://www.onvif.org/hardware/%%ff</d:Scopes><d:XAddrs>%b</d:XAddrs>"
    b"</d:ProbeMatch>"
)
SEEDS = (
    ENVELOPE % (MATCH % b"http://192.0.2.30/onvif/device_service http://[fe80::1]:80/x"),
    ENVELOPE % (MATCH % b"http://[v1.x]/ https://h:99999/ HTTP://%41/ rtsp://x http://\xc3\xa4.example.net"),
    ENVELOPE % b"<d:ProbeMatch/>",
    b'<!DOCTYPE e [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><e>&c;</e>',
)


def one(data: bytes) -> None:
    found = matches(data, (ASKED,))
    assert len(found) <= MOST
    for each in found:
        assert each.endpoint
        assert 0 < len(each.addresses) <= MOST_ADDRESSES
    for line in unlisted(found, ("192.0.2.30",)):
        assert "found in the network" in line
        assert line.isprintable()
    assert matches(data, ()) == ()
