"""What a `[[destinations]]` table of type immix may say."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from tocsin.config.problems import did_you_mean
from tocsin.destinations.mailing.recipients import is_mail_domain
from tocsin.destinations.mailing.settings import IMPLICIT_PORT, RELAY_PORT
from tocsin.destinations.mailing.station_settings import WHEN, StationMailSettings
from tocsin.destinations.mailing.times import Form, TimeSettings, Zone
from tocsin.destinations.rehearsal import no_xml
from tocsin.destinations.template_settings import in_file, written
from tocsin.destinations.templates import Template
from tocsin.transports.smtp_entry import TlsMode

DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
NAMES = frozenset(files(__package__).joinpath("names.txt").read_text(encoding="utf-8").split())
"""Names of events an integrator publishes as the station's own list (receivers.md 2.3)."""


def _domain(text: str) -> str:
    if not is_mail_domain(text):
        raise ValueError('expected a mail domain, such as "immixalarms.com"')
    return text


class ImmixTimeSettings(TimeSettings):
    """The form must be the one the Immix server reads (receivers.md 2.5)."""

    zone: Zone = Field("UTC", description="Time zone (IANA) in which times are written; empty: the event's own.")
    format: Form = Field("%Y-%m-%dT%H:%M:%SZ", max_length=60, description="Form of times, as strftime has it.")


class ImmixSettings(StationMailSettings):
    """An Immix server's SMTP receiver; the device there is of type Generic Stream."""

    PORTS: ClassVar[dict[TlsMode, int]] = {
        "required": RELAY_PORT, "opportunistic": RELAY_PORT, "off": RELAY_PORT, "implicit": IMPLICIT_PORT,
    }  # fmt: skip
    prefix: ClassVar[str] = "Immix"

    type: Literal["immix"] = Field("immix", description="Type of station.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Port of hosts that say none; absent: 25, with implicit TLS 465."
    )
    domain: Annotated[str, AfterValidator(_domain)] = Field(
        "immixalarms.com", description="Mail domain of the addresses; the mail goes to hosts, whatever it says."
    )
    input: str = Field(
        "1", pattern=r"^([0-9]{1,6}|zone)$", description='Input1 of devices that list no zone; "zone": a panel\'s zone.'
    )
    zone_offset: int = Field(0, ge=-1000, le=1000, description="Added to zones, such as 1 for channels from 0.")
    time: ImmixTimeSettings = Field(ImmixTimeSettings(), description="Zone and form of DateTime.")
    datetime: Literal["send", "omit"] = Field("send", description="omit leaves DateTime out.")
    extra_names: list[str] = Field(
        [], max_length=200, description="Names of events this station knows besides the published ones."
    )
    xml_declaration: bool = Field(False, description="true begins the text with an XML declaration.")
    template: Annotated[Template | None, written("xml", WHEN)] = Field(
        None, description="Template of the text; absent: the built-in one."
    )
    template_file: Annotated[Template | None, in_file("xml", WHEN)] = Field(
        None, description="File with the template of the text."
    )

    def misread(self, texts: Sequence[str]) -> str:
        ahead = DECLARATION if self.xml_declaration else ""
        problem = no_xml([ahead + text for text in texts])
        return f"makes mails that are no XML document: {problem}" if problem else ""

    @model_validator(mode="after")
    def _known_names(self) -> "ImmixSettings":
        known = NAMES | set(self.extra_names)
        for event, name in self.codes.items():
            if name not in known:
                raise ValueError(
                    f"codes.{event}: {name!r} is no event type of Immix, {did_you_mean(name, known)} Case matters. A "
                    "name that only this station knows goes into extra_names too"
                )
        return self
