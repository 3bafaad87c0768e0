"""Sentinel's XML Event Processor by HTTP (receivers.md 3.2): the document is unconfirmed. Pure, but for `build`."""

import re
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from tocsin.destinations.addresses import resolved
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.escaping import one_line
from tocsin.destinations.posted import PostedSettings, PostedStation
from tocsin.destinations.posting import Headers, Verdict, by_status, status_line
from tocsin.destinations.rehearsal import no_xml, tried
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.template_settings import in_file
from tocsin.destinations.templates import Template, TemplateProblem, compiled
from tocsin.destinations.words import words
from tocsin.engine.contracts import Addressed, AreaAddress, Rejected, printed_address
from tocsin.model.delivery import Due
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number, listed
from tocsin.protocols.codes import check_override, outbound_contact_id
from tocsin.transports.http import HttpAnswer

BUILT_IN = compiled(
    files(__package__).joinpath("event.xml").read_text(encoding="utf-8"), "xml", "the built-in event.xml"
)
_PART = re.compile(r"[A-Za-z0-9]{1,32}\Z", re.ASCII)
_LETTERS = {"1": "E", "3": "R", "6": "P"}
_ADVICE = {404: "Check the path in urls", 400: "Compare the document with what the XML Event Processor expects"}
Part = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,32}$")]


class SentinelXmlSettings(PostedSettings):
    """Sentinel's XML Event Processor, signalling type Port and ID; the document is unconfirmed."""

    type: Literal["sentinel"] = Field("sentinel", description="Type of station.")
    mode: Literal["xml"] = Field("xml", description="xml: an XML document over HTTP.")
    account: Part | None = Field(None, description="DeviceID of events that bring none.")
    area: Part | None = Field(None, description="Area sent with the default DeviceID.")
    zone: Part | None = Field(None, description="Zone sent with the default DeviceID.")
    codes: dict[str, str] = Field({}, description='Other Contact ID codes, such as tamper = "137".')
    template_file: Annotated[Template | None, in_file("xml")] = Field(
        None, description="File with the template of the site's own document."
    )
    ack: Literal["any-2xx", "content"] = Field(
        "any-2xx", description="Receipt: any 2xx, or only one with something in it."
    )

    @field_validator("codes")
    @classmethod
    def _usable(cls, codes: dict[str, str]) -> dict[str, str]:
        problems = [problem for name, code in codes.items() if (problem := check_override("contact_id", name, code))]
        if problems:
            raise ValueError("; ".join(problems))
        return codes

    def doubts(self) -> list[Doubt]:
        problem = no_xml(tried(self.template_file)) if self.template_file is not None else ""
        return [Doubt(("template_file",), f"makes no XML document: {problem}")] if problem else []

    def default_address(self) -> Address | None:
        return None if self.account is None else Address(self.account, self.area, self.zone)


class SentinelXml:
    """See destinations.posted.PostedFormat."""

    file_name = "event.xml"
    content_type = "text/xml; charset=utf-8"
    login: Headers = []  # noqa: RUF012 - never changed
    secrets: tuple[str, ...] = ()

    def __init__(self, settings: SentinelXmlSettings) -> None:
        self._settings = settings
        self._template = settings.template_file or BUILT_IN

    def address(self, event: Event, device: Device | None, areas: AreaAddress) -> Addressed:
        return resolved("Sentinel", self._settings, event, device, _addressed, areas, own=lambda own: own)

    def body(self, due: Due) -> bytes:
        event, where = due.event, listed(due.address)
        qualifier, code = outbound_contact_id(event.kind, event.state, event.code, self._settings.codes)
        zone = where.zone or (event.code.number if event.code is not None else None) or ""
        values = words(event, where, _LETTERS[qualifier] + code, event.url, due.number, zone)
        lines = {key: one_line(value) if isinstance(value, str) else value for key, value in values.items()}
        try:
            return self._template.render(lines).encode("utf-8", "replace")
        except TemplateProblem as error:
            raise Rejected(str(error)) from error

    def judged(self, answer: HttpAnswer, host: str, now: datetime) -> Verdict:
        if not 200 <= answer.status < 300:
            return by_status(answer, host, now, _ADVICE)
        if self._settings.ack == "content" and not answer.body.strip():
            return Verdict("retry", f"{host} answered {status_line(answer)} without any content, and ack is content")
        return Verdict("delivered", answer=f"HTTP {status_line(answer)}")


def _addressed(found: Number, origin: str) -> Addressed:
    where = found if isinstance(found, Address) else Address(str(found))
    for part in (where.account, where.area, where.zone):
        if part and not _PART.match(part):
            return Addressed(origin=origin, problem=f"{part!r} from {origin} cannot be sent as DeviceID, area or zone")
    sent = Address(where.account, where.area or None, where.zone or None)
    return Addressed(printed_address(sent), where.account, origin)


def build(settings: SentinelXmlSettings, surroundings: Surroundings) -> PostedStation:
    return PostedStation(settings, surroundings, SentinelXml(settings))
