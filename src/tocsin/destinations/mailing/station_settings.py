"""What a `[[destinations]]` table of a station that is told by mail may say besides its server."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tocsin.config.fields import Settings
from tocsin.destinations.mailing.names import check_names
from tocsin.destinations.mailing.settings import MailSettings
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.template_settings import in_file, written
from tocsin.destinations.templates import Template

BODY_KEYS = frozenset({"when"})
"""Besides the words of every template: the event's time as `time` says."""

OwnName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f|]{1,60}$")]


class StationMailSettings(MailSettings):
    """The mail a station's software reads; each type adds its address and its names."""

    account: str | None = Field(None, description="Address of events that bring none of their own.")
    accounts: dict[str, str] = Field({}, max_length=10_000, description="Addresses of panels, by the panel's account.")
    codes: dict[str, OwnName] = Field(
        {}, description='Other names: kind, "motion.person", "motion.vehicle", each also with ".restore".'
    )
    restores: Literal["send", "suppress"] = Field("send", description="Whether the end of an alarm is sent too.")
    subject: Annotated[Template | None, written("line", BODY_KEYS)] = Field(
        None, description="Template of the subject; absent: the built-in one."
    )
    ascii_only: bool = Field(False, description="true spells subject and text without accents.")
    disposition: Literal["attachment", "inline"] = Field("attachment", description="How pictures are marked.")
    photos: Pictures = Field(PictureSettings(), description='"jpg", "link", "none", or a table.')

    @field_validator("codes")
    @classmethod
    def _known_events(cls, value: dict[str, str]) -> dict[str, str]:
        check_names(value)
        return value

    def hold_s(self) -> float:
        return self.photos.wait

    def wants_photos(self) -> bool:
        return self.photos.sends_files
