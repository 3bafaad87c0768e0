"""What nobody has published about XProtect, each as a switch, and what can be made to go wrong (connectors.md 10.1)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from tocsin.standins.countdown import use_up


class Assumptions(Struct, frozen=True):
    """Each can be had the other way."""

    paging: Literal["honoured", "ignored", "size-ignored"] = "honoured"
    """Not declared for configuration resources (4.4)."""
    driver_settings: Literal["hardwareDriverSettings", "HardwareDriverSettings", "older", "none"] = (
        "hardwareDriverSettings"
    )
    """Where MAC addresses stand (4.5)."""
    identity_provider: Literal["gateway", "root"] = "gateway"
    """/API/IDP or /IDP (4.3)."""
    gateways: Literal["list", "text"] = "list"
    """ApiGateways of /.well-known/uris (4.2)."""
    events: Literal["there", "absent", "down"] = "there"
    """The Events and State service: 101, 404 before 2023 R3, or 503 (4.6, 4.7)."""
    hardware_states: bool = True
    """Whether states of boxes appear at all (11)."""
    recorder_states: bool = True
    """Whether recording servers have a state, of event types named as those of devices are (11)."""
    pongs: bool = True
    """Whether pings are answered (4.6)."""
    pushed_between: bool = False
    """An event is pushed between every command and its answer (4.6)."""
    picture: Literal["jpeg", "generic", "video"] = "jpeg"
    """What a recording server sends when JPEG is asked for (4.9)."""
    video: Literal["h264", "h264-b", "h265", "jpeg"] = "h264"
    """What cameras are recorded in; with -b pictures come in another order than they are seen (4.9)."""
    answers: Literal["multipart", "packets", "wrapped", "single"] = "multipart"
    """What goto and next are answered with: a group of pictures in parts, one after the other, each in a wrapper, or
    one picture each (4.9)."""
    gap: Literal["before", "after", "nothing"] = "before"
    """What goto into a gap is answered with (4.9)."""
    end: Literal["repeated", "nothing"] = "repeated"
    """What next is answered with after the last picture (4.9)."""
    sequences: Literal["oldest", "newest"] = "oldest"
    """Which recordings are told where there are more than maxCount (4.9)."""
    administrator: bool = True
    """Whether the user may read roles (4.3)."""


class Login(Struct, frozen=True):
    """`locked`: the account is refused whatever the password. `windows`: the user, DOMAIN\\name, logs in by NTLM."""

    username: str = "svc-inventory"
    password: str = "p@ss+word&100%"  # noqa: S105  (a stand-in's, with every character that must be encoded)
    life_s: float = 3600.0
    locked: bool = False
    windows: bool = False


class Fault(Struct):
    """What requests get whose path and query contain `where`, so many `times`; 0: always.

    `how`: an HTTP status, or silent (no answer), close, page (a web page), redirect.
    """

    where: str
    how: str
    times: int = 1

    def strikes(self, target: str) -> bool:
        """Uses one up."""
        return self.where in target and use_up(self)


def read_fault(text: str) -> Fault:
    """`WHERE=HOW` or `WHERE=HOW*TIMES`. Raises ValueError."""
    where, _, rest = text.rpartition("=")
    how, _, times = rest.partition("*")
    if not where or not (how in ("silent", "close", "page", "redirect") or (how.isdecimal() and 400 <= int(how) < 600)):
        raise ValueError(f"--fault {text}: expected WHERE=HOW or WHERE=HOW*TIMES, HOW one of 503, silent, close, page")
    if times and not times.isdecimal():
        raise ValueError(f"--fault {text}: {times!r} is no number")
    return Fault(where, how, int(times or 0))


def read_gap(text: str) -> tuple[int, int]:
    """`FROM/TO` as milliseconds since 1970. Raises ValueError."""
    begin, _, end = text.partition("/")
    try:
        since, until = (round(datetime.fromisoformat(one).timestamp() * 1000) for one in (begin, end))
    except ValueError:
        raise ValueError(f"--gap {text}: expected FROM/TO, each such as 2025-03-08T09:10:00Z") from None
    return since, until


def read_assumptions(texts: Sequence[str]) -> Assumptions:
    """Of several `KEY=VALUE`. Raises ValueError."""
    given = dict(text.partition("=")[::2] for text in texts)
    if foreign := given.keys() - set(Assumptions.__struct_fields__):
        raise ValueError(f"--assume {min(foreign)}: there is {', '.join(Assumptions.__struct_fields__)}")
    try:
        return msgspec.convert(given, Assumptions, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"--assume: {error}") from None
