"""What a `[[destinations]]` table of type stages may say."""

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, Secret, wrong_setting
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.mailing.times import TIME_HINT, tells_time
from tocsin.destinations.posting import HttpUrl
from tocsin.destinations.settings import DestinationSettings, TlsSettings
from tocsin.model.event import Address
from tocsin.protocols.codes import check_override
from tocsin.protocols.contact_id import fits

ELEMENTS = (
    "PollMessageFlag", "UserName", "UserPassword", "Receiver", "Line", "Account", "SignalFormat", "SignalCode",
    "Area", "Point", "Date", "Longitude", "Latitude", "TestSignalFlag",
)  # fmt: skip
"""The elements in the order in which the service is seen to take them (stations.md 7.2, receivers.md 9)."""
TEXT_ELEMENTS = ("Text", "Url")
_INDISPENSABLE = ("Line", "Account", "SignalCode")
_ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
_TIME_FORMAT = re.compile(r"(?:%[YmdHMSIpyjfzZbB]|[ /:.,TZ-]){2,60}\Z")


def _field(written: str) -> str:
    ours, colon, theirs = written.partition(":")
    if ours not in ELEMENTS + TEXT_ELEMENTS:
        raise ValueError(f"{ours!r} is no element this gateway can fill: {', '.join(ELEMENTS + TEXT_ELEMENTS)}")
    if colon and not _ELEMENT.match(theirs):
        raise ValueError(f"{theirs!r} cannot be the name of an element")
    return written


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; expected a name such as Europe/Tallinn") from None


def _time_format(written: str) -> str:
    if not _TIME_FORMAT.match(written):
        raise ValueError("a time format has %Y %m %d %H %M %S and blanks, /, :, ., -, T between them")
    return written


Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")]
AnyAccount = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,16}$")]
FieldName = Annotated[str, AfterValidator(_field)]


class StagesSettings(DestinationSettings):
    """A Stages Signal Service, XML receiver."""

    type: Literal["stages"] = Field("stages", description="Type of station.")
    urls: list[HttpUrl] = Field(
        min_length=1, max_length=16, description="The service, such as https://…/sgssignalservice/receiver.asmx."
    )
    fan_out: Literal["first-success", "all"] = Field(
        "first-success", description="Ask the URLs in turn until one takes the signal, or send it to all of them."
    )
    receiver: Digits | None = Field(None, description="Receiver number; usually left out.")
    line: Digits | None = Field(None, description="Line of events that bring none, and of polls.")
    account: Digits | None = Field(None, description="Transmitter code of events that bring no address, and of polls.")
    area: Digits | None = Field(None, description="Area sent with the default account.")
    point: Digits | None = Field(None, description="Point sent with the default account.")
    accounts: dict[AnyAccount, Digits] = Field({}, description="Renames of panels' accounts.")
    user: str | None = Field(None, min_length=1, max_length=200, description="UserName, if the service demands it.")
    password: Secret | None = Field(None, description="UserPassword, if the service demands it.")
    tls: TlsSettings = Field(TlsSettings(), description="TLS, for https.")
    code_style: Literal["short", "with-area-zone"] = Field(
        "with-area-zone", description="E130, or E13001002 when there is an area or a point."
    )
    area_point_elements: bool = Field(
        False, description="Send Area and Point as elements of their own; their names are assumptions."
    )
    fields: list[FieldName] = Field(
        list(ELEMENTS),
        min_length=3,
        description='Elements in the order of the site\'s ?WSDL; "Point:Zone" sends Point under the name Zone.',
    )
    namespace: str = Field(
        "http://tempuri.org/", pattern=r"^[\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]{1,200}$", description="XML namespace."
    )
    content_type: Literal["text/xml", "application/soap+xml"] = Field("text/xml", description="Content-Type.")
    soap_action: str = Field(
        "", pattern=r"^[\x21\x23-\x7e]{0,200}$", description="SOAPAction header, if the service demands it."
    )
    success: Literal["soap", "any-2xx"] = Field(
        "soap", description="Receipt: 2xx with a SOAP answer or none at all, or 2xx with any content."
    )
    refusals: list[str] = Field(["false"], description="Texts of the result element that mean: not taken.")
    time_format: Annotated[str, AfterValidator(_time_format)] = Field(
        "%Y-%m-%d %H:%M:%S", description="Form of Date, as strftime writes it."
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "", description="Time zone of Date, such as Europe/Tallinn; absent: the event's own."
    )
    heartbeat: Literal["off", "poll", "test-signal"] = Field(
        "off", description="What is sent in quiet times; ask the station before switching it on."
    )
    heartbeat_every: Duration = Field(60.0, ge=10, le=90000, description="Silence after which a heartbeat is sent.")
    codes: dict[str, str] = Field({}, description='Other Contact ID codes, such as tamper = "137".')
    timeout: Duration = Field(15.0, ge=0.1, le=60, description="One request, from connecting to its answer's end.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests at once; never two of one account.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late classification.")

    @field_validator("fields")
    @classmethod
    def _complete(cls, fields: list[str]) -> list[str]:
        ours = [each.partition(":")[0] for each in fields]
        missing = [each for each in _INDISPENSABLE if each not in ours]
        if missing:
            raise ValueError(f"{', '.join(missing)} cannot be left out")
        theirs = [each.rpartition(":")[2] for each in fields]
        if len(set(ours)) < len(ours) or len(set(theirs)) < len(theirs):
            raise ValueError("an element is named twice")
        return fields

    @model_validator(mode="after")
    def _together(self) -> "StagesSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or neither")
        if self.account is not None and self.line is None:
            raise ValueError("account needs line: Stages builds its transmitter number from both")
        if self.heartbeat != "off" and self.account is None:
            raise ValueError(f'heartbeat = "{self.heartbeat}" needs line and account to report under')
        problems = [check_override("contact_id", name, code) for name, code in self.codes.items()]
        if any(problems):
            raise ValueError(f"codes: {'; '.join(filter(None, problems))}")
        return self

    @model_validator(mode="after")
    def _numbers_fit(self) -> "StagesSettings":
        """Digits are never cut (event-codes.md 3.1)."""
        for name, number, digits in (("area", self.area, 2), ("point", self.point, 3)):
            if self.code_style == "with-area-zone" and number and not fits(number, digits):
                hint = 'code_style = "short", with area_point_elements = true where the service takes those'
                raise wrong_setting((name,), f"does not fit into the code, which has {digits} digits for it", hint)
        return self

    def hold_s(self) -> float:
        return self.wait

    def host_s(self) -> float:
        return 0.0 if self.fan_out == "all" else self.timeout

    def doubts(self) -> list[Doubt]:
        sent = {each.partition(":")[0] for each in self.fields}
        found = []
        if self.user is not None and not {"UserName", "UserPassword"} <= sent:
            found.append(Doubt(("fields",), "user and password are not sent without UserName and UserPassword"))
        if self.area_point_elements and not {"Area", "Point"} & sent:
            found.append(Doubt(("fields",), "area_point_elements is set, but neither Area nor Point is among them"))
        if "Date" in sent and not tells_time(self.time_format):
            found.append(Doubt(("time_format",), "writes the same for every time", TIME_HINT))
        return found

    def can_say_test(self) -> bool:
        return any(each.partition(":")[0] == "TestSignalFlag" for each in self.fields)

    def default_address(self) -> Address | None:
        if self.account is None:
            return None
        return Address(self.account, self.area, self.point, self.receiver, self.line)
