"""Which device has which id (connectors.md 1.4). Pure."""

import hashlib
import re
from collections.abc import Mapping

Identity = tuple[str, str]
"""A device within its system: its kind and native key."""
_ID = re.compile(r"[A-Za-z0-9._:@-]{1,200}")


def device_id(system: str, identity: Identity) -> str:
    """What an id cannot hold is told by a digest, so that two keys never share one."""
    kind, key = identity
    text = f"{system}:{kind}:{key}"
    if _ID.fullmatch(text):
        return text
    digest = hashlib.sha256(f"{kind}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{system}:{re.sub(r'[^A-Za-z0-9._@-]', '-', kind)[:40]}:{digest}"


class Identities:
    """The ids that a system's devices were given. Of a hundred thousand nearly all say themselves whose they are: only
    the others are held.
    """

    def __init__(self, system: str, issued: Mapping[Identity, str] | None = None) -> None:
        self._system = system
        odd = {each: id_ for each, id_ in (issued or {}).items() if not self._plain(each, id_)}
        self._ids: Mapping[Identity, str] = odd
        self._identities = {id_: identity for identity, id_ in odd.items()}

    def id_of(self, identity: Identity) -> str:
        return self._ids.get(identity) or device_id(self._system, identity)

    def identity_of(self, id_: str) -> Identity | None:
        """What the system itself calls a device; of one it never listed, by an id written as in `device_id`, such as
        `og-main:intrusion_area:3`. None: not a device of this system.
        """
        return self._identities.get(id_) or self._said(id_)

    def _plain(self, identity: Identity, id_: str) -> bool:
        return id_ == device_id(self._system, identity) and self._said(id_) == identity

    def _said(self, id_: str) -> Identity | None:
        name, _, rest = id_.partition(":")
        kind, _, key = rest.partition(":")
        return (kind, key) if name == self._system and kind and key else None
