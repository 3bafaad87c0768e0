"""Recordings beside those of systems: folders of files, recorders that play over RTSP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.zones import TimeZone
from tocsin.engine.contracts import Clock
from tocsin.evidence.archives.file_names import FileNames
from tocsin.evidence.archives.folder import FolderArchive, FolderRules
from tocsin.evidence.archives.rtsp import RtspArchive, RtspRules
from tocsin.evidence.contracts import Archive


def _names(text: str) -> str:
    FileNames.parse(text, ZoneInfo("UTC"))
    return text


class FolderSettings(Settings):
    """A folder of recordings, one file after the other, as recorders export them."""

    name: str = Field(min_length=1, max_length=100, description="Name for people.")
    folder: str = Field(min_length=1, description="The folder, absolute.")
    names: Annotated[str, AfterValidator(_names)] = Field(
        "{device}/{start:%Y%m%d_%H%M%S}*.mp4", description="How its files are named, below the folder."
    )
    time_zone: TimeZone = Field("UTC", description="Time zone of the names.")
    devices: dict[str, str] = Field(
        {}, description='Camera names in file names, and the ids of their devices: { cam1 = "gate" }.'
    )


class RtspSettings(Settings):
    """A recorder that plays recordings over RTSP under an address with the time in it."""

    name: str = Field(min_length=1, max_length=100, description="Name for people.")
    urls: dict[str, str] = Field(
        min_length=1, description='By device: { gate = "rtsp://192.0.2.7/play?from={start:%Y%m%dT%H%M%S}" }.'
    )
    username: str = Field("", description="Where it asks for one.")
    password: Secret = Field(Secret(""), description="The user's password.")
    time_zone: TimeZone = Field("UTC", description="Time zone of the addresses.")
    timeout: Duration = Field(20.0, ge=1, le=300, description="A silence this long ends the play.")


class ArchiveSettings(Settings):
    """Where recordings come from besides [[systems]]."""

    folders: list[FolderSettings] = Field([], description="Folders of files.")
    rtsp: list[RtspSettings] = Field([], description="Recorders that play over RTSP.")

    def archives(self, audio: bool, clock: Clock) -> Sequence[Archive]:
        return [
            *(RtspArchive(one.name, _rtsp_rules(one, audio), clock) for one in self.rtsp),
            *(FolderArchive(one.name, _folder_rules(one, audio)) for one in self.folders),
        ]


def _folder_rules(one: FolderSettings, audio: bool) -> FolderRules:
    return FolderRules(Path(one.folder), FileNames.parse(one.names, ZoneInfo(one.time_zone)), one.devices, audio)


def _rtsp_rules(one: RtspSettings, audio: bool) -> RtspRules:
    zone = ZoneInfo(one.time_zone)
    return RtspRules(one.urls, one.username, one.password.reveal(), zone, one.timeout, audio)
