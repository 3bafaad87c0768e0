"""What templates may do with a value. Pure; with arguments that `misused` accepts, no value can make one fail."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tocsin.destinations.escaping import Ready, literal, plain
from tocsin.protocols.text import ascii_of

LONGEST_VALUE = 16_384
_WIDEST = 200
_LONGEST_NUMBER = 18
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa"})
_SAMPLES: tuple[object, ...] = ("", "é 1", 7, 1.5, True, ["person"], datetime(2024, 2, 29, tzinfo=UTC))


def pad(value: object, width: int, fill: str = "0") -> str:
    """`{{ zone|pad(3) }}`: 3 becomes 003; wider values stay."""
    return plain(value).rjust(min(width, _WIDEST), fill[:1] or "0")


def cut(value: object, length: int) -> str:
    """`{{ text|cut(60) }}`: the first 60 characters."""
    return plain(value)[: max(0, length)]


def ascii_text(value: object) -> str:
    """`{{ device|ascii }}`: ä becomes ae, é becomes e, what has no ASCII form becomes a question mark."""
    return ascii_of(plain(value).translate(_UMLAUTS))


def time(value: object, form: str = "%Y-%m-%dT%H:%M:%S%z") -> str:
    """`{{ ts_utc|time("%Y-%m-%dT%H:%M:%SZ") }}`: strftime."""
    return value.strftime(form) if isinstance(value, datetime) else plain(value)


def number(value: object, default: int = 0) -> int:
    """`{{ zone|int }}`: a number without leading zeros; what is no number becomes `default`."""
    text = plain(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else default


def plus(value: object, step: int) -> str:
    """`{{ zone|plus(1) }}`: for stations that count from 1, width kept; what is no number stays."""
    text = plain(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        return plain(value)
    return str(max(0, int(text) + step)).zfill(len(text))


def decimals(value: object, places: int) -> str:
    """`{{ lat|decimals(6) }}`: 59.437000; what is no number stays."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.{min(max(places, 0), 15)}f}" if numeric else plain(value)


def default(value: object, instead: str) -> str:
    """`{{ zone|default("000") }}`: for an empty value."""
    return plain(value) or instead


def replace(value: object, old: str, new: str) -> str:
    """`{{ text|replace("|", " ") }}`."""
    return plain(value).replace(old, new)[:LONGEST_VALUE] if old else plain(value)


def join(value: object, between: str = ", ") -> str:
    """`{{ objects|join(";") }}`."""
    return between.join(plain(item) for item in value) if isinstance(value, list) else plain(value)


def count(value: object) -> int:
    """`{{ media|count }}`."""
    return len(value) if isinstance(value, list | str) else 0


def upper(value: object) -> str:
    return plain(value).upper()


def lower(value: object) -> str:
    return plain(value).lower()


def percent(value: object) -> str:
    """`{{ text|percent }}`: as part of a link, everything but letters and digits as %XX."""
    return quote(plain(value), safe="")


def json(value: object) -> Ready:
    """`{{ text|json }}`: a whole JSON value, strings with their quotes, lists in brackets."""
    return literal(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ascii": ascii_text, "count": count, "cut": cut, "decimals": decimals, "default": default, "int": number,
    "join": join, "lower": lower, "pad": pad, "percent": percent, "plus": plus, "replace": replace, "time": time,
    "upper": upper,
}  # fmt: skip
JSON_FILTERS: Mapping[str, Callable[..., Any]] = {"json": json}


def misused(function: Callable[..., Any], arguments: Sequence[object]) -> str:
    """What is wrong with a filter's arguments, as the end of a sentence; empty if nothing is."""
    _, *wanted = inspect.signature(function).parameters.values()
    needed = sum(parameter.default is inspect.Parameter.empty for parameter in wanted)
    if not needed <= len(arguments) <= len(wanted):
        return f"takes {needed} to {len(wanted)} values in brackets, here are {len(arguments)}"
    for parameter, argument in zip(wanted, arguments, strict=False):
        if type(argument) is not parameter.annotation:
            return f"takes a {'number' if parameter.annotation is int else 'text in quotes'}, not {argument!r}"
    try:
        for sample in _SAMPLES:
            function(sample, *arguments)
    except (ValueError, OverflowError) as error:
        return f"cannot work with {', '.join(map(repr, arguments))}: {error}"
    return ""
