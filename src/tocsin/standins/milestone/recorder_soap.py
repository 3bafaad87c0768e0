"""The stand-in's RecorderCommandService: SequencesGet only (connectors.md 4.9)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from tocsin.protocols.xml import NotXml, first, local_name, read, text_of
from tocsin.standins.milestone.archive import Archive
from tocsin.standins.milestone.site import instant

PATH = "/RecorderCommandService/RecorderCommandService.asmx"
SPACE = "http://videoos.net/2/XProtectCSRecorderCommand"
RECORDING_SEQUENCE = "f9c62604-d0c5-4050-ae25-72de51639b14"
_MEMBERS = ["token", "deviceId", "sequenceType", "minTime", "maxTime", "maxCount"]


def answered(
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    good: Callable[[str], bool],
    archive: Callable[[str], Archive],
    first_told: Literal["oldest", "newest"],
) -> tuple[int, str]:
    """Status and body. What is not exactly as published is a fault."""
    if path != PATH or headers.get("soapaction") != f'"{SPACE}/SequencesGet"':
        return _fault("SOAPAction is not SequencesGet")
    try:
        call = first(read(body), "SequencesGet")
    except NotXml as error:
        return _fault(str(error))
    if call is None or [local_name(one) for one in call] != _MEMBERS or call.tag != f"{{{SPACE}}}SequencesGet":
        return _fault(f"SequencesGet needs {', '.join(_MEMBERS)}")
    told = {local_name(one): text_of(one) for one in call}
    if not good(told["token"]):
        return _fault("Token invalid")
    if told["sequenceType"] != RECORDING_SEQUENCE or not told["maxCount"].isdecimal():
        return _fault("no such type of sequence")
    try:
        since, until = (_ms(told[name]) for name in ("minTime", "maxTime"))
    except ValueError:
        return _fault("minTime and maxTime are no times")
    entries = list(archive(told["deviceId"]).sequences(since, until))
    most = int(told["maxCount"])
    return 200, _envelope(entries[:most] if first_told == "oldest" else entries[::-1][:most])


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp() * 1000)


def _envelope(entries: list[tuple[int, int]]) -> str:
    told = "".join(
        f"<SequenceEntry><TimeBegin>{_written(begin)}</TimeBegin><TimeTrigged>{_written(begin)}</TimeTrigged>"
        f"<TimeEnd>{_written(end)}</TimeEnd></SequenceEntry>"
        for begin, end in entries
    )
    return _soap(
        f'<SequencesGetResponse xmlns="{SPACE}"><SequencesGetResult>{told}</SequencesGetResult></SequencesGetResponse>'
    )


def _written(ms: int) -> str:
    return instant(datetime.fromtimestamp(ms / 1000, UTC))


def _fault(reason: str) -> tuple[int, str]:
    inside = f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{reason}</faultstring></soap:Fault>"
    return 500, _soap(inside)


def _soap(inside: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inside}</soap:Body>'
        "</soap:Envelope>"
    )
