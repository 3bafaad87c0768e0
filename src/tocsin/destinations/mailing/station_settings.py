"""What a `[[destinations]]` table of a station that is told by mail may say besides its server."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tocsin.config.fields import wrong_setting
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.mailing.names import check_names
from tocsin.destinations.mailing.settings import MailSettings
from tocsin.destinations.mailing.times import TIME_HINT, tells_time
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.rehearsal import tried
from tocsin.destinations.template_settings import in_file, written
from tocsin.destinations.templates import Template
from tocsin.model.event import Address
from tocsin.protocols.addressing import NOTATIONS, Number

WHEN = frozenset({"when"})
"""Besides the words of every template: the event's time, as the type's settings write it."""
_WHEN = "2026-03-04T05:06:07Z"

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

    @model_validator(mode="after")
    def _addresses_fit(self) -> "StationMailSettings":
        """What would set aside every event that goes out under it."""
        given: dict[tuple[str, ...], str] = {("accounts", panel): text for panel, text in self.accounts.items()}
        default: dict[tuple[str, ...], str] = {} if self.account is None else {("account",): self.account}
        for place, text in (default | given).items():
            found = self._read(text)
            problem = self.misfit(found.account if isinstance(found, Address) else str(found))
            if problem:
                raise wrong_setting(place, problem)
        return self

    def misfit(self, account: str) -> str:
        """Why no mail could go out under an account, as the end of a sentence; empty when one could."""
        return ""

    def misread(self, texts: Sequence[str]) -> str:
        """Why the station could read none of these mails, which a template of the site makes; empty when it could."""
        return "" if any(text.strip() for text in texts) else "makes mails without any text"

    def doubts(self) -> list[Doubt]:
        own = self.template or self.template_file
        problem = self.misread(tried(own, {"when": _WHEN})) if own is not None else ""
        found = [Doubt(("template" if self.template else "template_file",), problem)] if problem else []
        times = getattr(self, "time", None)
        if times is None or tells_time(times.format):
            return found
        return [*found, Doubt(("time", "format"), "writes the same for every time", TIME_HINT)]

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
