"""An event as a mail to Manitou's email connector (receivers.md 6.2): rules published, the layout is ours.

Pure, but for `build`.
"""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from tocsin.destinations.mailing.addressing import numbered, read_printed
from tocsin.destinations.mailing.names import Names
from tocsin.destinations.mailing.settings import MailAddress
from tocsin.destinations.mailing.station import StationMail, Target, built_in
from tocsin.destinations.mailing.station_settings import WHEN, StationMailSettings
from tocsin.destinations.mailing.times import TimeSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.template_settings import chosen
from tocsin.destinations.templates import compiled
from tocsin.engine.contracts import Addressed, Rejected
from tocsin.model.event import Address, Event
from tocsin.protocols.codes import outbound_sia

LONGEST_CODE = 10
LINES = built_in(__package__, "mail.txt", "line")
SUBJECT = compiled("Manitou alarm {{ site_id }}", "line", "the built-in subject", WHEN)


class ManitouMailSettings(StationMailSettings):
    """A mailbox that Manitou's email connector collects from; the site maps its lines."""

    prefix: ClassVar[str] = "Manitou"
    takes_accounts: ClassVar[bool] = True

    type: Literal["manitou"] = Field("manitou", description="Type of station.")
    mode: Literal["email"] = Field("email", description="email: a mail to the mailbox that the connector polls.")
    sender: MailAddress = Field(description="Address the mail comes from.")
    to: MailAddress = Field(description="The mailbox that the connector polls.")
    zone: str = Field("", pattern=r"^[0-9A-Za-z]{0,16}$", description="Zone of devices that list none.")
    time: TimeSettings = Field(TimeSettings(), description="Zone and form of Time.")

    @field_validator("codes")
    @classmethod
    def _short(cls, codes: dict[str, str]) -> dict[str, str]:
        for event, code in codes.items():
            if not (code.isascii() and code.isalnum() and len(code) <= LONGEST_CODE):
                raise ValueError(f"{event} = {code!r}: a code has up to {LONGEST_CODE} letters and digits")
        return codes


class ManitouMailFormat:
    """See destinations.mailing.station.StationFormat."""

    def __init__(self, settings: ManitouMailSettings) -> None:
        self._settings = settings
        self._own = Names({}).with_own(settings.codes)
        self.subject = settings.subject or SUBJECT
        self.body = chosen(settings.template, settings.template_file, LINES)
        self.time_zone = settings.time.zone

    def sendable(self, address: Address, origin: str) -> Addressed:
        if not (address.account.isascii() and address.account.isalnum()):
            return Addressed(
                origin=origin, problem=f"{address.account!r} from {origin} is no transmitter number (TXID)"
            )
        return numbered(address, origin)

    def unsupported(self, event: Event) -> str:
        return "" if self.code(event) else f"SIA has no code for {event.kind}; one can be set in codes"

    def target(self, address: str) -> Target:
        found = read_printed(address)
        if found is None:
            raise Rejected(f"{address!r} is no address of Manitou")
        return Target(self._settings.sender, (self._settings.to,), found, found.zone or self._settings.zone)

    def code(self, event: Event) -> str:
        """The site's own code, else the SIA code; a restore has its own of each."""
        return self._own.own_restore(event) or outbound_sia(event.kind, event.state, event.code)

    def when(self, event: Event) -> str:
        return self._settings.time.written(event)


def build(settings: ManitouMailSettings, surroundings: Surroundings) -> StationMail:
    return StationMail(settings, surroundings, ManitouMailFormat(settings))
