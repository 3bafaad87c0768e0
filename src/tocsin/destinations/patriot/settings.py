"""What a `[[destinations]]` table of type patriot may say."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from tocsin.destinations.doubts import Doubt
from tocsin.destinations.mailing.names import is_number
from tocsin.destinations.mailing.settings import MailAddress
from tocsin.destinations.mailing.station_settings import StationMailSettings
from tocsin.destinations.mailing.times import TimeSettings
from tocsin.destinations.pictures import PictureSettings

LARGEST_NUMBER = 65_000
"""Of zones and types (receivers.md 4.1)."""
LONGEST_CLIENT = 16
JOINED = 5
"""Photos in one clip or on one sheet."""


class PatriotPictureSettings(PictureSettings):
    """Patriot 6.7 and 6.8 take one file per mail; a clip or a sheet is one file of several photos."""

    max_count: int = Field(
        1, ge=1, le=20, description="At most this many photos per event, the first ones; for avi and sheet absent: 5."
    )


def _table(value: Any) -> Any:
    table = {"as": value} if isinstance(value, str) else value
    joined = isinstance(table, dict) and table.get("as") in ("avi", "sheet")
    return {"max_count": JOINED, **table} if joined else table


class PatriotSettings(StationMailSettings):
    """A mailbox from which a Patriot Email task of type Standard Media collects."""

    prefix: ClassVar[str] = "Patriot"
    takes_accounts: ClassVar[bool] = True

    type: Literal["patriot"] = Field("patriot", description="Type of station.")
    mode: Literal["email"] = Field("email", description="email: a mail to the mailbox that Patriot collects from.")
    sender: MailAddress = Field(description="Address the mail comes from.")
    to: MailAddress = Field(description="The mailbox that Patriot collects from.")
    zone: str = Field("", pattern=r"^[0-9]{0,5}$", description="zone of devices that list none; absent: none is sent.")
    types: Literal["contact_id", "none"] = Field(
        "contact_id",
        description="Numbers of events that codes does not name, unconfirmed: contact_id: the Contact ID code, a "
        "panel's own first; none: type is left out.",
    )
    time: TimeSettings = Field(TimeSettings(), description="Zone and form of times in own templates.")
    photos: Annotated[PatriotPictureSettings, BeforeValidator(_table)] = Field(
        PatriotPictureSettings(), description='"jpg", "avi", "sheet", "link", "none", or a table.'
    )

    @field_validator("codes")
    @classmethod
    def _numbers(cls, value: dict[str, str]) -> dict[str, str]:
        for event, number in value.items():
            if not is_number(number, LARGEST_NUMBER):
                raise ValueError(
                    f"{event} = {number!r}: an event type of Patriot is a number from 0 to {LARGEST_NUMBER}"
                )
        return value

    def misfit(self, account: str) -> str:
        if account.isascii() and account.isalnum() and len(account) <= LONGEST_CLIENT:
            return ""
        return f"is no client number of Patriot: up to {LONGEST_CLIENT} letters and digits"

    def doubts(self) -> list[Doubt]:
        if not self.zone or is_number(self.zone, LARGEST_NUMBER):
            return super().doubts()
        return [*super().doubts(), Doubt(("zone",), f"is beyond {LARGEST_NUMBER}: events go out without it")]

    def misread(self, texts: Sequence[str]) -> str:
        """Of the line only the client is indispensable (receivers.md 4.1)."""
        return "" if all("client=" in text for text in texts) else "makes mails without client=, and Patriot reads none"
