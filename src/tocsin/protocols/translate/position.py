"""Longitude and latitude as DC-09 writes them: degrees, hemisphere, minutes (`024E45.1`, `059N26.2`)."""

import re

from tocsin.model.event import Location

_FORM = re.compile(r"(\d{1,3})([NSEW])(\d{1,2}(?:\.\d{1,8})?)\Z", re.ASCII)
_MINUTES = 60


def longitude(degrees: float, decimals: int = 1) -> str:
    return _written(degrees, "EW", decimals)


def latitude(degrees: float, decimals: int = 1) -> str:
    return _written(degrees, "NS", decimals)


def location(x: str, y: str) -> Location | None:
    """The place two values X and Y name; None if either is unreadable or not on earth."""
    lon, lat = _read(x, "EW", 180), _read(y, "NS", 90)
    return None if lon is None or lat is None else Location(lat, lon)


def _written(degrees: float, letters: str, decimals: int) -> str:
    whole, minutes = divmod(round(abs(degrees) * _MINUTES, decimals), _MINUTES)
    return f"{int(whole):03d}{letters[degrees < 0]}{minutes:0{3 + decimals}.{decimals}f}"


def _read(text: str, letters: str, most: int) -> float | None:
    found = _FORM.match(text.strip().upper())
    if found is None or found[2] not in letters or float(found[3]) >= _MINUTES:
        return None
    degrees = int(found[1]) + float(found[3]) / _MINUTES
    return None if degrees > most else round(-degrees if found[2] == letters[1] else degrees, 6)
