"""Addresses to listen on, as written in the configuration: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def split_listen(text: str) -> tuple[str, int]:
    """Host (without brackets) and port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "://" in text or not (colon and bare and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f'expected "host:port", such as "127.0.0.1:8080" or "[::1]:8080"{_oddity(text, port)}')
    if ":" in bare and bare == host:
        raise ValueError('an IPv6 address goes in brackets, such as "[::1]:8080"')
    return bare, int(port)


def _oddity(text: str, port: str) -> str:
    if "://" in text:
        return f", without {text.partition('://')[0]}://"
    too_large = port.isascii() and port.isdigit() and len(port) == 5
    return "; a port is at most 65535" if too_large else ""


def is_loopback(text: str) -> bool:
    """Whether only this machine can reach the address. A name other than localhost is taken for reachable."""
    host, _ = split_listen(text)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _checked(text: str) -> str:
    split_listen(text)
    return text


Listen = Annotated[str, AfterValidator(_checked)]
"""`host:port` to listen on; port 0 takes any free port."""


def _checked_or_empty(text: str) -> str:
    return _checked(text) if text else text


ListenOrNot = Annotated[str, AfterValidator(_checked_or_empty)]
"""The same, or empty: this one does not listen."""
