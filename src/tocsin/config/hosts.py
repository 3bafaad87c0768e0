"""Hosts to connect to: what neither a DNS server nor a socket could take is told where it is written."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator

from tocsin.config.listening import split_listen

_LONGEST_NAME = 253
_FOUR_NUMBERS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){3}")
_NO_NAME = re.compile(r"[\x00-,/:-@\[-^`{-\x7f]")
"""ASCII other than letters, digits, `-`, `.` and `_`, which stands in many a name although it should not."""

_ADVICE = {
    "://": "leave out what stands before ://, and ://",
    "/": "leave out the path",
    ":": "leave out the port",
    ",": "each host stands in quotes of its own",
    " ": "each host stands in quotes of its own",
}


def checked_host(text: str) -> str:
    """A name or an IP address without brackets. Raises ValueError for one that no connection could lead to."""
    if _is_address(text):
        return text
    odd = _NO_NAME.search(text)
    if odd is not None:
        raise ValueError(f"a host has no {odd[0]!r} in it{_advice(text)}")
    if _FOUR_NUMBERS.fullmatch(text) and max(map(int, text.split("."))) > 255:
        raise ValueError(f"{text} is no IPv4 address: its numbers go up to 255")
    try:
        encoded = text.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded:
        raise ValueError("a host's name has parts of 1 to 63 characters between its full stops")
    if len(encoded) > _LONGEST_NAME + 1:
        raise ValueError(f"a host's name has at most {_LONGEST_NAME} characters")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _advice(text: str) -> str:
    for mark, advice in _ADVICE.items():
        if mark in text:
            return f"; {advice}"
    return ""


def _peer(text: str) -> str:
    host, port = split_listen(text)
    if port == 0:
        raise ValueError('a host needs its port, such as "arc.example.net:1025"')
    checked_host(host)
    return text


HostPort = Annotated[str, AfterValidator(_peer)]
"""`host:port` to connect to."""


def _certificate_name(text: str) -> str:
    if text:
        checked_host(text.removeprefix("*."))
    return text


CertificateName = Annotated[str, AfterValidator(_certificate_name)]
"""The name a certificate must carry; empty: the host's."""
