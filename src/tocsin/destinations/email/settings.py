"""What a `[[destinations]]` table of type email may say."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tocsin.config.fields import Duration, Settings
from tocsin.destinations.mailing.settings import MailAddress, MailSettings
from tocsin.protocols.addressing import Recipients


class PhotoSettings(Settings):
    """How photos travel."""

    carry: Literal["inline", "attached", "both", "none"] = Field(
        "inline", alias="as", description="inline: shown in the mail's text; attached; both; none."
    )
    max_count: int = Field(5, ge=1, le=20, description="At most this many photos per mail, the first ones.")
    max_bytes: int = Field(4_000_000, ge=1, le=16_000_000, description="At most this many bytes of photos per mail.")
    wait: Duration = Field(10.0, ge=0, le=60, description="The longest an event waits for late photos or actors.")


def _photos(value: Any) -> Any:
    return {"as": value} if isinstance(value, str) else value


class EmailSettings(MailSettings):
    """A mail server, reached directly, and the people it serves."""

    default_key: ClassVar[str] = "to"
    type: Literal["email"] = Field("email", description="Type of station.")
    sender: MailAddress = Field(description="Address the mail comes from.")
    to: list[MailAddress] = Field(
        [], max_length=20, description="Recipients of events whose device names none itself (Email:…)."
    )
    photos: Annotated[PhotoSettings, BeforeValidator(_photos)] = Field(
        PhotoSettings(), description='"inline", "attached", "both", "none", or a table.'
    )

    max_per_minute: int | None = Field(
        None, ge=1, le=600, description="At most this many mails a minute; more wait in the queue, none is left out."
    )

    def hold_s(self) -> float:
        return self.photos.wait

    def can_say_test(self) -> bool:
        return True

    def wants_photos(self) -> bool:
        return self.photos.carry != "none"

    def default_address(self) -> Recipients | None:
        return Recipients(tuple(self.to)) if self.to else None
