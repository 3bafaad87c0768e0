"""SureView Ops' receiver of JSON (receivers.md 5.2, published). Pure, but for `build`."""

import base64
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from pydantic import Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Secret
from tocsin.destinations.addresses import resolved
from tocsin.destinations.escaping import one_line, plain
from tocsin.destinations.posted import PostedSettings, PostedStation
from tocsin.destinations.posting import Headers, Verdict, taken_by_status
from tocsin.destinations.settings import require_kinds
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.words import short_text
from tocsin.engine.contracts import Addressed, AreaAddress
from tocsin.model.delivery import Due
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number
from tocsin.transports.http import HttpAnswer

_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}\Z", re.ASCII)
_REGIONS = {region: f"https://{region}.sureviewops.com/receiver" for region in ("us", "eu")}
_ADVICE = {
    401: "Check api_key: the key of the account, as it stands in SureView",
    403: "Check api_key: the key of the account, as it stands in SureView",
    404: "Check region or urls",
}
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class SureViewHttpSettings(PostedSettings):
    """SureView Ops by JSON; it takes no pictures this way, so the event's link stands in the text."""

    type: Literal["sureview"] = Field("sureview", description="Type of station.")
    mode: Literal["http"] = Field("http", description="http: JSON over HTTPS.")
    region: Literal["us", "eu"] = Field("us", description="Where the account is; urls replaces it.")
    api_key: Secret = Field(description="The account's API key; it goes out in base64.")
    key_is_base64: bool = Field(False, description="true: api_key is in base64 already.")
    account: Identifier | None = Field(None, description="systemIdentifier of events that bring none.")
    response_codes: dict[str, Identifier] = Field({}, description="responseCode by kind, for a root alarm.")
    event_codes: dict[str, Identifier] = Field({}, description="eventCode by kind, for a decoder of the site's own.")

    @field_validator("response_codes", "event_codes")
    @classmethod
    def _kinds(cls, codes: dict[str, str]) -> dict[str, str]:
        require_kinds(codes)
        return codes

    @model_validator(mode="before")
    @classmethod
    def _region(cls, table: Any) -> Any:
        region = table.get("region", "us") if isinstance(table, dict) else ""
        return {"urls": [_REGIONS[region]], **table} if region in _REGIONS else table

    @model_validator(mode="after")
    def _sendable(self) -> "SureViewHttpSettings":
        key = self.api_key.reveal()
        if not key or (self.key_is_base64 and not re.fullmatch(r"[A-Za-z0-9+/]+=*", key)):
            raise ValueError("api_key is empty or no base64")
        return self

    def default_address(self) -> Address | None:
        return None if self.account is None else Address(self.account)


class Alarm(Struct, frozen=True, rename="camel"):
    """What is POSTed; parts without content are left out."""

    system_identifier: str
    text: str
    location: str | UnsetType = UNSET
    response_code: str | UnsetType = UNSET
    event_code: str | UnsetType = UNSET


class SureViewHttp:
    """See destinations.posted.PostedFormat."""

    file_name = "alarm.json"
    content_type = "application/json"

    def __init__(self, settings: SureViewHttpSettings) -> None:
        self._settings = settings
        key = settings.api_key.reveal()
        written = key if settings.key_is_base64 else base64.b64encode(key.encode()).decode()
        self.login: Headers = [("Authorization", written)]  # no scheme word (receivers.md 5.2)
        self.secrets: tuple[str, ...] = (key, written)

    def address(self, event: Event, device: Device | None, areas: AreaAddress) -> Addressed:
        """A panel's account means nothing here: each alarm point has an identifier of its own."""
        return resolved("SureView", self._settings, event, device, _addressed, areas)

    def body(self, due: Due) -> bytes:
        event = due.event
        text = ("TEST " if event.is_test else "") + short_text(event)
        place = event.location
        alarm = Alarm(
            due.address,
            one_line(plain(f"{text} {event.url}".strip())),
            f"{place.lat + 0.0:.6f},{place.lon + 0.0:.6f}" if place else UNSET,
            self._settings.response_codes.get(event.kind, UNSET),
            self._settings.event_codes.get(event.kind, UNSET),
        )
        return msgspec.json.encode(alarm)

    def judged(self, answer: HttpAnswer, host: str, now: datetime) -> Verdict:
        return taken_by_status(answer, host, now, _ADVICE)


def _addressed(found: Number, origin: str) -> Addressed:
    """Of a mail address in the description its local part: that is how one alarm point is written for both ways."""
    identifier = (found.account if isinstance(found, Address) else str(found)).partition("@")[0]
    if not _IDENTIFIER.match(identifier):
        return Addressed(origin=origin, problem=f"{identifier!r} from {origin} is no systemIdentifier of SureView")
    return Addressed(identifier, identifier, origin)


def build(settings: SureViewHttpSettings, surroundings: Surroundings) -> PostedStation:
    return PostedStation(settings, surroundings, SureViewHttp(settings))
