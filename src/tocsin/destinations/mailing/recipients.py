"""Mail addresses. Pure."""

import re
from collections.abc import Sequence

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*\Z")
_LONGEST_LOCAL, _LONGEST_ADDRESS = 64, 254


def is_mail_address(text: str) -> bool:
    """A plain ASCII addr-spec without quoting, comments or address literals, within RFC 5321's lengths."""
    local, at, domain = text.rpartition("@")
    return bool(at) and is_local_part(local) and is_mail_domain(domain) and len(text) <= _LONGEST_ADDRESS


def is_local_part(text: str) -> bool:
    """What may stand before the `@`."""
    return bool(_LOCAL.match(text)) and len(text) <= _LONGEST_LOCAL


def is_mail_domain(text: str) -> bool:
    """What may stand behind the `@`."""
    return bool(_DOMAIN.match(text)) and len(text) <= _LONGEST_ADDRESS


def first_wrong(addresses: Sequence[str]) -> str | None:
    """The first that is no mail address."""
    return next((one for one in addresses if not is_mail_address(one)), None)
