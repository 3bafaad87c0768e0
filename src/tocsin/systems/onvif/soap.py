"""SOAP 1.2 as ONVIF devices speak it: envelopes out, answers and faults in. Pure."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tocsin.protocols import xml

if TYPE_CHECKING:
    from lxml import etree

ANSWER_LIMIT = 4 * 1024 * 1024
"""connectors.md 6.1."""
ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
NAMESPACES = {
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tse": "http://www.onvif.org/ver10/search/wsdl",
    "trp": "http://www.onvif.org/ver10/replay/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wsa": "http://www.w3.org/2005/08/addressing",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
_NOT_AUTHORIZED = frozenset({"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken"})


class SoapFault(Exception):
    """The device's refusal. `codes` are the code and its subcodes without prefixes, outermost first."""

    def __init__(self, codes: tuple[str, ...], reason: str) -> None:
        super().__init__(f"{'/'.join(codes) or 'fault'}: {reason or 'no reason given'}"[:300])
        self.codes = codes
        self.reason = reason

    @property
    def not_authorized(self) -> bool:
        """Some devices say it by the code, others in words only."""
        words = "".join(self.reason.lower().split())
        return not _NOT_AUTHORIZED.isdisjoint(self.codes) or "notauthorized" in words or "unauthorized" in words


class NotSoap(Exception):
    """The answer is no SOAP envelope; the text says why."""


def username_token(user: str, password: str, created: datetime, nonce: bytes) -> str:
    """A WS-Security header. `created` is written with `Z`: some devices take no other form (connectors.md 6.7)."""
    written = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    hashed = hashlib.sha1(nonce + written.encode() + password.encode(), usedforsecurity=False).digest()
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" s:mustUnderstand="1"><wsse:UsernameToken>'
        f"<wsse:Username>{xml.content(user)}</wsse:Username>"
        f'<wsse:Password Type="{DIGEST}">{_base64(hashed)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{BASE64}">{_base64(nonce)}</wsse:Nonce>'
        f"<wsu:Created>{written}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def envelope(body: str, *headers: str) -> bytes:
    """`body` and `headers` are XML that uses the prefixes of NAMESPACES, and `s` for the envelope's own."""
    header = f"<s:Header>{''.join(headers)}</s:Header>" if any(headers) else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ENVELOPE}" {_DECLARED}>'
        f"{header}<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def answer(data: bytes) -> "etree._Element":
    """The element in the body of an envelope. Raises SoapFault, NotSoap."""
    try:
        root = xml.read(data, ANSWER_LIMIT)
    except xml.NotXml as error:
        raise NotSoap(str(error)) from None
    if xml.local_name(root) != "Envelope":
        raise NotSoap(f"it is no SOAP envelope but <{xml.local_name(root)[:60]}>")
    body = child(root, "Body")
    content = None if body is None else next(elements(body), None)
    if content is None:
        raise NotSoap("its body is empty")
    if xml.local_name(content) == "Fault":
        raise SoapFault(*_fault(content))
    return content


def _fault(fault: "etree._Element") -> tuple[tuple[str, ...], str]:
    """Code and reason of SOAP 1.2; of 1.1 where a device answers in that."""
    codes = [xml.text_of(one) for one in fault.iter() if xml.local_name(one) in ("Value", "faultcode")]
    reason = xml.first(fault, "Text")
    reason = xml.first(fault, "faultstring") if reason is None else reason
    return tuple(code.rpartition(":")[2][:80] for code in codes[:5]), xml.text_of(reason)[:200]


def elements(parent: "etree._Element") -> Iterator["etree._Element"]:
    """The elements directly within, without comments."""
    return (one for one in parent if isinstance(one.tag, str))


def child(parent: "etree._Element", name: str) -> "etree._Element | None":
    """The first element of this local name directly within."""
    return next((one for one in elements(parent) if xml.local_name(one) == name), None)


def below(parent: "etree._Element", *names: str) -> Iterator["etree._Element"]:
    """All elements of these local names anywhere within, in order."""
    return (one for one in parent.iter() if xml.local_name(one) in names)


def text(parent: "etree._Element | None", *path: str) -> str:
    """The text at the end of a path of local names; empty where there is none."""
    for name in path:
        parent = None if parent is None else child(parent, name)
    return xml.text_of(parent)
