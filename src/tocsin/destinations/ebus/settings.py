"""What a `[[destinations]]` table of type ebus may say."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from tocsin.config.fields import Duration
from tocsin.destinations.doubts import Doubt
from tocsin.destinations.ebus.templates import NAME_KEYS, PICTURE_NAMES, TEXT_KEYS, TEXT_NAMES, problem_with_names
from tocsin.destinations.pictures import Pictures, PictureSettings
from tocsin.destinations.settings import DestinationSettings
from tocsin.destinations.template_settings import in_file, written
from tocsin.destinations.templates import Template
from tocsin.destinations.uploading.settings import FolderPath, FtpSettings
from tocsin.model.event import Address
from tocsin.model.kinds import KINDS

Folder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Account = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,32}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,60}$")]
_OVERRIDE = re.compile(r"([a-z_]+)(\.(?:person|vehicle|restore))?\Z")


def _off(value: object) -> object:
    return None if value == "off" else value


class EbusSettings(DestinationSettings, FtpSettings):
    """An FTP server that EBÜS watches: each alarm source has its own folder there (receivers.md 8.1)."""

    default_key: ClassVar[str] = "folder"

    type: Literal["ebus"] = Field("ebus", description="Type of station.")
    path: FolderPath = Field("", description="Where the sources' folders are; absent: where the login leads.")
    folder: Folder | None = Field(
        None, description="Folder of events whose device has none (EBUS:…), and of the routine call."
    )
    folders: dict[Account, Folder] = Field({}, description="Folders of panels' accounts.")
    layout: Literal["set", "camera-dir"] = Field(
        "set",
        description="set: time, own mark and number, all in the source's folder; camera-dir: a folder per camera, "
        "files named by time.",
    )
    picture_name: Annotated[Template | None, written("line", NAME_KEYS)] = Field(
        None, description="Template of pictures' names without .jpg, may begin with folder/; instead of the layout's."
    )
    text_name: Annotated[Template | None, written("line", NAME_KEYS)] = Field(
        None, description="Template of the text file's name without .txt; instead of the layout's."
    )
    text: Literal["last", "first", "none"] = Field(
        "last", description="The text file completes the set, begins it, or is left out where there are pictures."
    )
    text_file: Annotated[Template | None, in_file("line", TEXT_KEYS)] = Field(
        None, description="File with another template of the text."
    )
    ascii_only: bool = Field(True, description="true: ä becomes ae in the text; false: UTF-8.")
    codes: dict[str, Word] = Field(
        {}, description='Other words behind "Alarm:": kind, "motion.person", "kind.restore" = word.'
    )
    photos: Pictures = Field(PictureSettings(), description='"jpg", "none", or a table.')
    pre_alarm_count: int = Field(
        0, ge=0, le=19, description="How many of an event's first pictures are from before the alarm; as in EBÜS."
    )
    routine: Annotated[Duration | None, BeforeValidator(_off)] = Field(
        86400.0, description='How often a routine call goes to `folder`, shorter than EBÜS expects it; "off": never.'
    )
    supervision: Annotated[Duration | None, BeforeValidator(_off)] = Field(
        60.0, description='How often a quiet connection is tried, or "off".'
    )

    @model_validator(mode="after")
    def _usable(self) -> "EbusSettings":
        for name in self.codes:
            found = _OVERRIDE.match(name)
            if found is None or found[1] not in KINDS:
                raise ValueError(
                    f'codes: {name!r} is no kind of event, such as tamper, "motion.person", "tamper.restore"'
                )
        if self.photos.name is not None:
            raise ValueError("photos.name has no meaning here: give picture_name beside photos")
        problem = problem_with_names(self.picture_name, self.text_name)
        if problem:
            raise ValueError(problem)
        for name, value in (("routine", self.routine), ("supervision", self.supervision)):
            if value is not None and not 1 <= value <= 7 * 86400:
                raise ValueError(f'{name} lies between "1s" and "7d"; "off" switches it off')
        return self

    def doubts(self) -> list[Doubt]:
        if self.create_dirs:
            return []
        pictures = [("picture_name", self.picture_name, PICTURE_NAMES)] if self.wants_photos() else []
        named = [*pictures, ("text_name", self.text_name, TEXT_NAMES)]
        places = {name if own else "layout" for name, own, usual in named if "/" in (own or usual[self.layout]).text}
        message = "puts files into folders within the source's own; the server refuses them where one is missing"
        hint = "create_dirs = true, where the login may make folders"
        return [Doubt((place,), message, hint) for place in sorted(places)]

    def hold_s(self) -> float:
        return self.photos.wait

    def wants_photos(self) -> bool:
        return self.photos.sends_files

    def default_address(self) -> Address | None:
        return Address(self.folder) if self.folder else None
