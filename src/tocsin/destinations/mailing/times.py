"""How a station reads the time of an event (receivers.md 1.5)."""

import zoneinfo
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from tocsin.config.fields import Settings
from tocsin.model.event import Event
from tocsin.model.wording import local_time

_SAMPLE = datetime(2024, 2, 29, 23, 59, 58, 999_000, tzinfo=UTC)
_OTHER = datetime(2031, 11, 3, 10, 4, 5, 1_000, tzinfo=UTC)
TIME_HINT = 'as strftime has it, such as "%d.%m.%Y %H:%M:%S"'


def _known_zone(name: str) -> str:
    try:
        if name:
            ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'{name!r} is no time zone; expected an IANA name, such as "Europe/Tallinn"') from None
    return name


def _usable_form(form: str) -> str:
    try:
        shown = _SAMPLE.strftime(form)
    except ValueError as error:
        raise ValueError(f"{form!r} cannot be used as a time's form: {error}") from None
    if not shown or not shown.isprintable():
        raise ValueError(f"{form!r} gives no printable time")
    return form


Zone = Annotated[str, AfterValidator(_known_zone)]
Form = Annotated[str, AfterValidator(_usable_form)]


def tells_time(form: str) -> bool:
    """False for a form that writes the same for every time, such as DD.MM.YYYY."""
    return _SAMPLE.strftime(form) != _OTHER.strftime(form)


class TimeSettings(Settings):
    """Zone and form of times; each type has its own defaults."""

    zone: Zone = Field("", description="Time zone (IANA) in which times are written; absent: the event's own.")
    format: Form = Field("%Y-%m-%d %H:%M:%S", max_length=60, description="Form of times, as strftime has it.")

    @model_validator(mode="after")
    def _z_is_utc(self) -> "TimeSettings":
        if self.format.endswith("Z") and not self.format.endswith("%Z") and self.zone != "UTC":
            raise ValueError('a time that ends in Z is UTC: set zone = "UTC", or a format without the Z')
        return self

    def written(self, event: Event) -> str:
        moment = local_time(event)
        return (moment.astimezone(ZoneInfo(self.zone)) if self.zone else moment).strftime(self.format)
