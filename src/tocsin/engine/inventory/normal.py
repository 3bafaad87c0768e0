"""Addresses, times and texts of foreign systems in one form (connectors.md 1.8). Pure."""

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from ipaddress import ip_address
from urllib.parse import urlsplit

NAME_LIMIT = 200
_MAC_SEPARATORS = str.maketrans("", "", ":-. ")
_HEX12 = re.compile(r"[0-9A-F]{12}")
_DUMMIES = frozenset({"000000000000", "FFFFFFFFFFFF"})
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}", re.ASCII)
_ADDRESS = re.compile(r"(?:https?://)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?/?", re.ASCII)
"""What nearly every system writes. These and plain ASCII are read without a parser: there may be 100,000 of them."""
_FRACTION = re.compile(r"\.(\d{1,9})")
_TEXTUAL = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*([Zz]|[+-]\d{2}:?\d{2})?")


def mac(text: str) -> str:
    """`3C:EF:8C:0A:51:7E`; empty when it is none, a dummy or a group address."""
    digits = text.translate(_MAC_SEPARATORS).upper()
    if not _HEX12.fullmatch(digits) or digits in _DUMMIES or int(digits[:2], 16) & 1:
        return ""
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def ip(text: str) -> str:
    """An IPv4 or IPv6 address as RFC 5952 writes it; empty when it is none, unspecified or this machine's own."""
    if _IPV4.fullmatch(text):
        return "" if text.startswith("127.") or text == "0.0.0.0" else text  # noqa: S104 - an address told, not bound
    try:
        found = ip_address(text.strip().strip("[]"))
    except ValueError:
        return ""
    return "" if found.is_unspecified or found.is_loopback else str(found)


def hostname(text: str) -> str:
    """RFC 1123, small letters, without the dot at its end; empty when it is none."""
    if not text:
        return ""
    name = text.strip().rstrip(".").lower()
    labels = name.split(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return ""
    return "" if labels[-1].isdigit() or name == "localhost" else name


def host_of(address: str) -> str:
    """The host of an IP, a name or a URL such as `http://10.31.4.22:443/`."""
    plain = _ADDRESS.fullmatch(address)
    if plain:
        return plain[1]
    text = address.strip()
    if "://" not in text and (text.count(":") > 1 and not text.startswith("[")):
        return text  # a bare IPv6 address
    try:
        return urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return ""


def place_on_network(address: str, name: str = "") -> tuple[str, str]:
    """IP and host name of what a system calls an address; `name` is a host name it gives beside it."""
    host = host_of(address)
    found = ip(host)
    return found, hostname(name) or ("" if found else hostname(host))


def clean(text: str, limit: int) -> str:
    """Trimmed, composed, without control characters, cut at the limit (never within a character)."""
    if text.isascii() and text.isprintable():
        return text.strip()[:limit].rstrip()
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(one for one in composed if unicodedata.category(one) not in ("Cc", "Cs"))
    return kept.strip()[:limit].rstrip()


def moment(text: str, zone: tzinfo = UTC) -> tuple[datetime, bool] | None:
    """An instant, and whether its zone had to be assumed. Up to nine fraction digits; None when it is no instant."""
    trimmed = text.strip()
    if not _TEXTUAL.fullmatch(trimmed):
        return None
    cut = _FRACTION.sub(lambda match: f".{match[1]:0<6.6}", trimmed)
    try:
        found = datetime.fromisoformat(cut)
    except ValueError:
        return None
    assumed = found.tzinfo is None
    try:
        return (found.replace(tzinfo=zone) if assumed else found).astimezone(UTC), assumed
    except OverflowError:
        return None


def instant_text(instant: datetime) -> str:
    """RFC 3339 UTC with milliseconds: `2025-03-08T06:11:40.512Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
