"""What a `[[destinations]]` table of a station that is told by mail may say besides its server."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tocsin.destinations.mailing.names import check_names
from tocsin.destinations.mailing.settings import MailSettings
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.template_settings import in_file, written
from tocsin.destinations.templates import Template
from tocsin.protocols.addressing import NOTATIONS, Number

WHEN = frozenset({"when"})
"""Besides the words of every template: the event's time, as the type's settings write it."""

Line = Annotated[Template | None, written("line", WHEN)]
LineFile = Annotated[Template | None, in_file("line", WHEN)]


class StationMailSettings(MailSettings):
    """The mail a station's software reads; each type adds its address and its names.

    `prefix` names the notation of its addresses, `takes_accounts` whether a panel's account is one as it stands.
    """

    default_key: ClassVar[str] = "account"
    prefix: ClassVar[str]
    takes_accounts: ClassVar[bool] = False

    account: str | None = Field(None, description="Address of events that bring none of their own.")
    accounts: dict[str, str] = Field({}, max_length=10_000, description="Addresses of panels, by the panel's account.")
    codes: dict[str, str] = Field(
        {}, description='Other names: kind, "motion.person", "motion.vehicle", each also with ".restore".'
    )
    restores: Literal["send", "suppress"] = Field("send", description="Whether the end of an alarm is sent too.")
    subject: Line = Field(None, description="Template of the subject; absent: the built-in one.")
    template: Line = Field(None, description="Template of the text; absent: the built-in one.")
    template_file: LineFile = Field(None, description="File with the template of the text.")
    ascii_only: bool = Field(False, description="true spells subject and text without accents.")
    disposition: Literal["attachment", "inline"] = Field("attachment", description="How pictures are marked.")
    photos: Pictures = Field(PictureSettings(), description='"jpg", "avi", "sheet", "link", "none", or a table.')

    @field_validator("account", "accounts")
    @classmethod
    def _readable(cls, value: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for text in value.values() if isinstance(value, dict) else [] if value is None else [value]:
            cls._read(text)
        return value

    @field_validator("codes")
    @classmethod
    def _known_events(cls, value: dict[str, str]) -> dict[str, str]:
        check_names(value)
        return value

    @model_validator(mode="after")
    def _one_template(self) -> "StationMailSettings":
        if self.template is not None and self.template_file is not None:
            raise ValueError("give template or template_file, not both")
        return self

    @classmethod
    def _read(cls, text: str) -> Number:
        """An address as it stands behind the prefix in a description. Raises ValueError."""
        notation = NOTATIONS[cls.prefix.lower()]
        found = notation.read(text)
        if isinstance(found, str):
            raise ValueError(f"{text[:80]!r}: {found}; expected what follows the colon in {notation.form}")
        return found

    def default_address(self) -> Number | None:
        return None if self.account is None else self._read(self.account)

    def address_of_account(self, panel: str) -> Number | None:
        """The address that `accounts` gives a panel."""
        given = next((text for own, text in self.accounts.items() if own.lower() == panel.lower()), None)
        return None if given is None else self._read(given)

    def hold_s(self) -> float:
        return self.photos.wait

    def wants_photos(self) -> bool:
        return self.photos.sends_files
