"""Files named by camera and time, as recorders export them: a pattern such as `{device}/{start:%Y-%m-%d_%H-%M-%S}.mp4`.

Pure. `*` stands for any characters within a name.
"""

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

_DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "H": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}",
    "f": r"\d{1,6}", "j": r"\d{3}", "z": r"(?:Z|[+-]\d{2}:?\d{2})", "s": r"\d{9,11}",
}  # fmt: skip
_PARTS = re.compile(r"\{device\}|\{start:([^{}]+)\}|\*|[^{}*]+|[{}]")
_NEEDED = ("Y", "m", "d", "H", "M")


class Named(NamedTuple):
    """What a file's name tells: `device` as written there, `start` aware UTC."""

    device: str
    start: datetime


class FileNames:
    """`parse` reads a pattern; raises ValueError with a sentence."""

    def __init__(self, pattern: re.Pattern[str], formats: str, zone: tzinfo) -> None:
        self._pattern = pattern
        self._formats = formats
        self._zone = zone

    @classmethod
    def parse(cls, text: str, zone: tzinfo) -> "FileNames":
        if text.count("{device}") != 1 or text.count("{start:") != 1:
            raise ValueError(
                "the names need {device} once and {start:…} once, such as {device}/{start:%Y%m%d_%H%M%S}.mp4"
            )
        formats = ""
        found = []
        for part in _PARTS.finditer(text):
            if part[1] is not None:
                formats = part[1]
                found.append(f"(?P<start>{_time(formats)})")
            elif part[0] in ("{", "}"):
                raise ValueError(f"{part[0]} stands alone: only {{device}} and {{start:…}} are known")
            elif part[0] == "*":
                found.append("[^/]*?")
            else:
                found.append(r"(?P<device>[^/]+?)" if part[0] == "{device}" else re.escape(part[0]))
        return cls(re.compile("".join(found)), formats, zone)

    def read(self, path: str) -> Named | None:
        """Of a path below the folder, with `/`; None when the pattern does not fit."""
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        try:
            start = _instant(found["start"], self._formats, self._zone)
        except (ValueError, OverflowError, OSError):
            return None
        return Named(found["device"], start)


def _time(formats: str) -> str:
    directives = re.findall(r"%(.)", formats)
    unknown = [one for one in directives if one not in _DIRECTIVES]
    if unknown:
        raise ValueError(f"%{unknown[0]} is not known in {{start:…}}: {', '.join('%' + one for one in _DIRECTIVES)}")
    missing = [one for one in _NEEDED if one not in directives and not (one == "Y" and "y" in directives)]
    if missing and "s" not in directives:
        raise ValueError(f"{{start:…}} needs %{missing[0]}: year, month, day, hour and minute")
    pieces = re.split(r"%(.)", formats)
    return "".join(_DIRECTIVES[piece] if n % 2 else re.escape(piece) for n, piece in enumerate(pieces))


def _instant(text: str, formats: str, zone: tzinfo) -> datetime:
    if formats == "%s":
        return datetime.fromtimestamp(int(text), UTC)
    read = datetime.strptime(text, formats)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
