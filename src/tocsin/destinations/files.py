"""What travels beside a message: pictures as they go out."""

from msgspec import Struct


class File(Struct, frozen=True):
    """`name` is plain ASCII without blanks or folders, ending as `content_type` says."""

    name: str
    content_type: str
    data: bytes


class Files(Struct, frozen=True):
    """Oldest first. `note` names what was left out or changed and why, for people; empty when nothing was."""

    files: tuple[File, ...] = ()
    note: str = ""
