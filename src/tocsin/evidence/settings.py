"""What an `[[evidence]]` table may say."""

from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.zones import TimeZone
from tocsin.evidence.archive_settings import ArchiveSettings
from tocsin.evidence.pace import Hours, Pace
from tocsin.evidence.registry.connection import ConnectionInvalid, load_connection
from tocsin.evidence.registry.profile import ProfileInvalid, load_profile
from tocsin.evidence.rules import AgentRules
from tocsin.transports.contract import TlsOptions
from tocsin.transports.http import endpoint_of
from tocsin.transports.outbound import Proxy

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""The custody log and the spool folder are named after it, so it is not to be changed later."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_GB = 1_000_000_000


def _proxy_url(url: str) -> str:
    endpoint_of(url)
    if not url.startswith("http://"):
        raise ValueError("a forward proxy is written http://HOST:PORT; what goes through it is encrypted all the same")
    return url


def _days(text: str) -> str:
    _days_of(text)
    return text


def _days_of(text: str) -> tuple[int, ...]:
    """`Mon-Fri`, `Sat,Sun`. Raises ValueError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f'{part.strip()!r} is no day: expected such as "Mon-Fri" or "Sat,Sun"')
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found += [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    return tuple(dict.fromkeys(found))


def _clock(text: str) -> str:
    _time_of(text)
    return text


def _time_of(text: str) -> time:
    if text == "24:00":
        return time(0, 0)
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError(f'{text!r} is no time of day: expected such as "08:00"') from None


def _can_be_opened(name: str) -> bool:
    try:
        with Path(name).open("rb"):
            return True
    except OSError:
        return False


Days = Annotated[str, AfterValidator(_days)]
ClockTime = Annotated[str, AfterValidator(_clock)]
Mbit = Annotated[float, Field(ge=0, le=100_000)]


class HoursSettings(Settings):
    """Hours of the week in which uploads go at another speed."""

    days: Days = Field(description='Days they begin on: "Mon-Fri", "Sat,Sun".')
    start: ClockTime = Field(description='"08:00".')
    end: ClockTime = Field(description='"18:00"; before the start: on the next day.')
    mbit: Mbit = Field(description="Megabits per second then; 0: no uploads.")

    def hours(self) -> Hours:
        return Hours(_days_of(self.days), _time_of(self.start), _time_of(self.end), int(self.mbit * 1_000_000))


class UploadSettings(Settings):
    """How fast, and how much at once."""

    per_file: int = Field(4, ge=1, le=16, description="Blocks of one file on their way at once.")
    requests: int = Field(8, ge=1, le=64, description="Blocks of all files on their way at once.")
    mbit: Mbit | None = Field(None, description="Megabits per second at most; absent: as fast as it goes.")
    hours: list[HoursSettings] = Field([], description="Hours with another speed; the first that fit decide.")
    time_zone: TimeZone = Field("UTC", description="Time zone of the hours.")

    def pace(self) -> Pace:
        whole = None if self.mbit is None else int(self.mbit * 1_000_000)
        return Pace(whole, tuple(one.hours() for one in self.hours), self.time_zone)


class ProxySettings(Settings):
    """A forward proxy for everything that goes to the registry and its storage."""

    url: Annotated[str, AfterValidator(_proxy_url)] = Field(description="http://proxy.example.net:3128")
    username: str = Field("", description="Where it asks for one.")
    password: Secret = Field(Secret(""), description="The user's password.")

    def proxy(self) -> Proxy:
        return Proxy(self.url, self.username, self.password.reveal())


class EvidenceTlsSettings(Settings):
    """TLS towards the registry and its storage; verification cannot be switched off."""

    ca_file: str = Field("", description="PEM file with the authority of a proxy that looks into TLS.")

    def options(self) -> TlsOptions:
        return TlsOptions(self.ca_file)


class SpoolSettings(Settings):
    """Recordings on their way lie here as files."""

    size_gb: float = Field(50.0, ge=0.1, le=100_000, description="Gigabytes it may hold.")
    keep: Duration = Field(
        21_600.0, ge=0, le=2_592_000, description="What was fetched for an attempt that failed is kept so long."
    )

    @property
    def limit(self) -> int:
        return int(self.size_gb * _GB)


class EvidenceSettings(Settings):
    """An agent of a Genetec Clearance camera registry."""

    name: AgentName = Field(description="Name of this agent, unique; not to be changed later.")
    type: Literal["clearance"] = Field(description="Type of registry.")
    connection_file: str = Field(min_length=1, description="The integration's configuration, as downloaded: JSON.")
    allow_world_readable: bool = Field(False, description="true: other users may read the connection file.")
    profile_file: str = Field("", description="Wire profile, TOML or JSON; absent: assumed-1.")
    shared_areas: list[str] = Field([], description="Cameras of these areas are shared; none until chosen.")
    poll_interval: Duration = Field(15.0, ge=5, le=300, description="The registry is asked for jobs so often, ±20 %.")
    workers: int = Field(2, ge=1, le=50, description="Jobs worked on at once.")
    segment: Duration = Field(3600.0, ge=60, le=3600, description="Longest piece of video in one file.")
    audio: bool = Field(True, description="false: sound is left out.")
    photos_fallback: bool = Field(
        False,
        description="true: photos of a camera's events stand in for a recording or a picture that cannot be had.",
    )
    archives: ArchiveSettings = Field(ArchiveSettings(), description="Where recordings come from besides [[systems]].")
    recorder_keeps: Duration | None = Field(
        None, description="Recordings are overwritten after so long; requests that are about to lose theirs go first."
    )
    upload: UploadSettings = Field(UploadSettings(), description="How fast, and how much at once.")
    proxy: ProxySettings | None = Field(None, description="Forward proxy.")
    tls: EvidenceTlsSettings = Field(EvidenceTlsSettings(), description="TLS towards registry and storage.")
    spool: SpoolSettings = Field(SpoolSettings(), description="Recordings on their way.")
    on_stop: Literal["keep", "release"] = Field(
        "keep", description="Jobs under way when the gateway stops: go on after the start, or let others have them."
    )
    dry_run: bool = Field(False, description="true: ask for jobs and say what would be taken, but take none.")
    on_start_error: Literal["fail", "retry", "disable"] = Field(
        "fail", description="What `run` does when this entry cannot be used."
    )

    @model_validator(mode="after")
    def _files_can_be_used(self) -> "EvidenceSettings":
        """One that cannot be opened at all is told with its own line, as every file of the configuration is."""
        try:
            if _can_be_opened(self.connection_file):
                load_connection(self.connection_file, self.allow_world_readable)
            if not self.profile_file or _can_be_opened(self.profile_file):
                load_profile(self.profile_file)
        except (ConnectionInvalid, ProfileInvalid) as error:
            raise ValueError(str(error)) from None
        return self

    def rules(self) -> AgentRules:
        return AgentRules(
            name=self.name,
            poll_interval_s=self.poll_interval,
            workers=self.workers,
            segment_s=self.segment,
            audio=self.audio,
            dry_run=self.dry_run,
            recorder_keeps_s=self.recorder_keeps,
            release_on_stop=self.on_stop == "release",
        )
