"""Requests to a stand-in ONVIF camera, read strictly; what is wrong with them becomes a fault."""

import re
from typing import TYPE_CHECKING

from tocsin.protocols import xml
from tocsin.standins import onvif_answers as say

if TYPE_CHECKING:
    from lxml import etree

_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_ACTIONS = {
    "CreatePullPointSubscription": f"{_EVENTS}/EventPortType/CreatePullPointSubscriptionRequest",
    "PullMessages": f"{_EVENTS}/PullPointSubscription/PullMessagesRequest",
    "SetSynchronizationPoint": f"{_EVENTS}/PullPointSubscription/SetSynchronizationPointRequest",
    "Renew": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest",
    "Unsubscribe": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest",
}
_PREFIXES = {uri: prefix for prefix, uri in say.NAMESPACES.items()}


class Refusal(Exception):
    """A fault to answer with: code, subcode, reason."""

    def __init__(self, subcode: str, reason: str, code: str = "Sender") -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason = code, subcode, reason


def opened(body: bytes) -> "tuple[str, str, etree._Element, etree._Element | None]":
    """Operation, its namespace's prefix, its element, and the header."""
    try:
        root = xml.read(body)
    except xml.NotXml as error:
        raise Refusal("WellFormed", str(error)) from None
    if root.tag != f"{{{say.NAMESPACES['s']}}}Envelope":
        raise Refusal("WellFormed", "it is no envelope of SOAP 1.2")
    content = root.find(f"{{{say.NAMESPACES['s']}}}Body/*")
    if content is None:
        raise Refusal("WellFormed", "the body is empty")
    namespace, _, operation = str(content.tag)[1:].partition("}")
    if namespace not in _PREFIXES:
        raise Refusal("ActionNotSupported", f"the namespace {namespace} is not known")
    return operation, _PREFIXES[namespace], content, root.find(f"{{{say.NAMESPACES['s']}}}Header")


def addressed(operation: str, header: "etree._Element | None") -> None:
    """Requests about subscriptions carry their WS-Addressing action and address; making one may do without."""
    making = operation == "CreatePullPointSubscription"
    if operation not in _ACTIONS or (making and (header is None or xml.first(header, "Action") is None)):
        return
    action = "" if header is None else xml.text_of(xml.first(header, "Action"))
    if action != _ACTIONS[operation] or header is None or not xml.text_of(xml.first(header, "To")):
        raise Refusal("InvalidArgVal", f"the WS-Addressing headers do not say {_ACTIONS[operation]}")


def value(content: "etree._Element", name: str) -> str:
    found = xml.first(content, name)
    if found is None:
        raise Refusal("InvalidArgVal", f"{name} is missing")
    return xml.text_of(found)


def duration(written: str) -> float:
    found = re.fullmatch(r"PT(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", written)
    if found is None or written == "PT":
        raise Refusal("InvalidArgVal", f"{written} is no duration")
    return 60 * float(found[1] or 0) + float(found[2] or 0)
