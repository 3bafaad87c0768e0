"""What a Stages service's answer means for the delivery (receivers.md 9). Pure."""

from collections.abc import Collection
from datetime import datetime

from lxml import etree

from tocsin.destinations.posting import Verdict, by_status, status_line
from tocsin.protocols.text import one_line
from tocsin.protocols.xml import NotXml, first, local_name, read, text_of
from tocsin.transports.http import HttpAnswer

_OURS = frozenset({"client", "sender", "versionmismatch", "mustunderstand", "dataencodingunknown"})
"""Fault classes that blame the message: it would be refused again (SOAP 1.1 and 1.2)."""
_ADVICE = {
    401: "The service wants a login by HTTP, which is not user and password of the signal: ask the station",
    403: "The service forbids it. Ask the station whether it knows the gateway's address",
    404: "The server knows no such service. Check the path in urls",
    405: "The server takes no POST there. Check the path in urls",
    415: "The service takes another Content-Type. Try the other content_type",
}


def judged(answer: HttpAnswer, where: str, now: datetime, refusals: Collection[str], any_2xx: bool) -> Verdict:
    """A Fault decides before the status: services send faults with 500."""
    root, problem = _document(answer.body)
    fault = first(root, "Fault") if root is not None else None
    if fault is not None:
        return _faulted(fault, answer, where)
    if not 200 <= answer.status < 300:
        return by_status(answer, where, now, _ADVICE)
    if root is not None and local_name(root) == "Envelope":
        return _result(root, answer, where, refusals)
    if any_2xx or not answer.body.strip():
        return Verdict("delivered", answer=f"HTTP {status_line(answer)}")
    return Verdict(
        "retry",
        f"{where} answered {status_line(answer)}, but not in SOAP ({problem or 'another document'}): something else "
        'than the signal service may have answered. Check urls; if the service answers so, set success = "any-2xx"',
    )


def _document(body: bytes) -> "tuple[etree._Element | None, str]":
    try:
        return (read(body), "") if body.strip() else (None, "")
    except NotXml as error:
        return None, one_line(str(error), 120)


def _faulted(fault: "etree._Element", answer: HttpAnswer, where: str) -> Verdict:
    code, reason = fault_of(fault)
    said = f"{where} answered {status_line(answer)} with the SOAP fault {code or 'without a code'}"
    said += f": {reason.rstrip('.')}" if reason else ""
    if code.rpartition(":")[2].partition(".")[0].lower() in _OURS or (answer.status < 500 and not _theirs(code)):
        return Verdict("refused", f"{said}. Compare element names and order (fields) with the service's ?WSDL")
    return Verdict("retry", said)


def fault_of(fault: "etree._Element") -> tuple[str, str]:
    """Code and reason of a fault, SOAP 1.2 (`Code/Value`, `Reason/Text`) or 1.1 (`faultcode`, `faultstring`)."""
    code = first(fault, "Value") if first(fault, "Code") is not None else first(fault, "faultcode")
    reason = first(fault, "Reason")
    return one_line(text_of(code), 80), one_line(text_of(first(fault, "faultstring") if reason is None else reason))


def _theirs(code: str) -> bool:
    return code.rpartition(":")[2].partition(".")[0].lower() in ("server", "receiver")


def _result(root: "etree._Element", answer: HttpAnswer, where: str, refusals: Collection[str]) -> Verdict:
    result = one_line(text_of(first(root, "SignalResult")))
    if result and result.lower() in {each.lower() for each in refusals}:
        return Verdict("refused", f"{where} answered {status_line(answer)} with the result {result!r}: not taken")
    return Verdict("delivered", answer=f"HTTP {status_line(answer)}" + (f", result {result}" if result else ""))
