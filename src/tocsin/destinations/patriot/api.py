"""Patriot's JSON service (receivers.md 4.2): the names of its members are unconfirmed. Pure, but for `build`."""

import base64
import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote

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
from tocsin.engine.contracts import Addressed, AreaAddress, Rejected, printed_address
from tocsin.model.delivery import Due
from tocsin.model.device import Device
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import Number, listed
from tocsin.protocols.codes import outbound_contact_id
from tocsin.transports.http import HttpAnswer

LARGEST_NUMBER = 65_000
"""Of zones and types (receivers.md 4.1)."""
_CLIENT, _AREA = re.compile(r"[A-Za-z0-9]{1,16}\Z", re.ASCII), re.compile(r"[A-Za-z0-9]{1,4}\Z", re.ASCII)
_ADVICE = {
    400: "Compare the members with the site's Swagger page",
    401: "Check user and password: Patriot wants one user per third party, with Log Signal",
    403: "The user may not log to this client: the control room must assign the client to it",
    404: "Check urls, and that the client exists",
    422: "Compare client and type with the site's lists",
}
TypeNumber = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]


class PatriotApiSettings(PostedSettings):
    """The JSON service of a Patriot ICA."""

    type: Literal["patriot"] = Field("patriot", description="Type of station.")
    mode: Literal["api"] = Field("api", description="api: JSON over HTTPS.")
    user: str = Field(pattern=r"^[^:\x00-\x1f]{1,200}$", description="The gateway's user, with Log Signal.")
    password: Secret = Field(description="The user's password.")
    account: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,16}$")] | None = Field(
        None, description="Client number of events that bring none."
    )
    area: str | None = Field(None, pattern=r"^[A-Za-z0-9]{1,4}$", description="Area sent with the default client.")
    zone: str | None = Field(None, pattern=r"^[0-9]{1,5}$", description="Zone sent with the default client.")
    codes: dict[str, TypeNumber] = Field(
        {}, description='Type numbers: kind or "kind.restore" = number; others get the Contact ID code, unconfirmed.'
    )

    @field_validator("codes")
    @classmethod
    def _kinds(cls, codes: dict[str, int]) -> dict[str, int]:
        require_kinds(codes, restores=True)
        return codes

    @model_validator(mode="after")
    def _fits(self) -> "PatriotApiSettings":
        if self.zone is not None and int(self.zone) > LARGEST_NUMBER:
            raise ValueError(f"a zone is 0 to {LARGEST_NUMBER}")
        return self

    def default_address(self) -> Address | None:
        return None if self.account is None else Address(self.account, self.area, self.zone)


class LoggedSignal(Struct, frozen=True, rename="camel"):
    """What is POSTed; parts without content are left out."""

    client_no: str
    raw_data: str
    type_no: int | UnsetType = UNSET
    zone_user: int | UnsetType = UNSET
    media: str | UnsetType = UNSET


class PatriotApi:
    """See destinations.posted.PostedFormat."""

    file_name = "signal.json"
    content_type = "application/json; charset=utf-8"

    def __init__(self, settings: PatriotApiSettings) -> None:
        self._settings = settings
        pair = base64.b64encode(f"{settings.user}:{settings.password.reveal()}".encode()).decode()
        self.login: Headers = [("Authorization", f"Basic {pair}")]
        self.secrets: tuple[str, ...] = (settings.password.reveal(), pair)

    def address(self, event: Event, device: Device | None, areas: AreaAddress) -> Addressed:
        return resolved("Patriot", self._settings, event, device, _addressed, areas, own=lambda own: own)

    def body(self, due: Due) -> bytes:
        event, where = due.event, listed(due.address)
        if not _CLIENT.match(where.account):
            raise Rejected(f"{due.address!r} in the outbox is no client of Patriot")
        number = type_number(self._settings, event)
        signal = LoggedSignal(
            where.account + (f"-{where.area}" if where.area else ""),
            one_line(plain(("TEST " if event.is_test else "") + short_text(event))),
            UNSET if number is None else number,
            _number(where.zone),
            f"url:{quote(plain(event.url).strip(), safe=_URL_SAFE)}" if event.url.strip() else UNSET,
        )
        return msgspec.json.encode(signal)

    def judged(self, answer: HttpAnswer, host: str, now: datetime) -> Verdict:
        return taken_by_status(answer, host, now, _ADVICE)


_URL_SAFE = "%!#$&'()*+,/:;=?@[]~-._"


def type_number(settings: PatriotApiSettings, event: Event) -> int | None:
    """The site's own number, else the Contact ID code as a decimal. None for an end without a number of its own: under
    its alarm's number it would be taken for another alarm.
    """
    own = settings.codes.get(f"{event.kind}.restore" if event.state == "restore" else event.kind)
    if own is not None or event.state == "restore":
        return own
    _, code = outbound_contact_id(event.kind, event.state, event.code)
    return int(code) if code.isdecimal() else None


def _addressed(found: Number, origin: str) -> Addressed:
    where = found if isinstance(found, Address) else Address(str(found))
    if not _CLIENT.match(where.account) or (where.area and not _AREA.match(where.area)):
        return Addressed(origin=origin, problem=f"{where} from {origin} is no client of Patriot, such as 0011-01")
    zone = where.zone if _number(where.zone) is not UNSET else None
    return Addressed(printed_address(Address(where.account, where.area or None, zone)), where.account, origin)


def _number(zone: str | None) -> int | UnsetType:
    """A zone Patriot does not read as a number is left out: better the signal without it than none."""
    if zone and zone.isascii() and zone.isdecimal() and len(zone) <= 9 and int(zone) <= LARGEST_NUMBER:
        return int(zone)
    return UNSET


def build(settings: PatriotApiSettings, surroundings: Surroundings) -> PostedStation:
    return PostedStation(settings, surroundings, PatriotApi(settings))
