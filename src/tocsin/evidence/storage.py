"""Azure's blob storage, as far as an upload needs it: three kinds of requests, and what their answers mean
(clearance.md 11).
"""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

from msgspec import Struct

from tocsin.evidence.encryption import block_id
from tocsin.transports.http import HttpAnswer
from tocsin.transports.outbound import Body, Outbound

VERSION = "2021-08-06"
LARGEST_PUT = 5000 * 1024 * 1024
_LONGEST_ADDRESS = 16_384
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")

Meaning = Literal["stored", "again", "damaged", "gone", "list", "expired", "right", "taken", "refused", "foreign"]
"""What to do about an answer: see `meaning`."""


class AddressRefused(ValueError):
    """An address that may not be uploaded to; the text says why, without its secrets."""


class Address(Struct, frozen=True):
    """A blob's address with its permission, read (11.3). `uri` is a secret and goes out exactly as given; `shown` has
    what a log may say of it. `rights` empty: it does not say.
    """

    uri: str
    blob: str
    rights: str = ""
    expires_at: datetime | None = None
    shown: str = ""

    def __repr__(self) -> str:
        return f"Address({self.shown})"

    @property
    def public(self) -> str:
        """The address without its permission."""
        return f"{urlsplit(self.uri).scheme}://{self.blob}"

    def may(self, right: str) -> bool:
        return right in self.rights


def read_address(uri: str) -> Address:
    """Raises AddressRefused."""
    if not uri.isascii() or not uri.isprintable() or " " in uri or len(uri) > _LONGEST_ADDRESS:
        raise AddressRefused("the address for the upload holds characters that no address has, or is too long")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("the address for the upload cannot be read") from None
    if not _HOST.fullmatch(host):
        raise AddressRefused("the address for the upload names no host")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise AddressRefused(f"the address for the upload, at {host}, does not begin with https://")
    if parts.username or parts.fragment or len(parts.path) < 2:
        raise AddressRefused("the address for the upload names no blob")
    values = {name: value for name, value in parse_qsl(parts.query) if name != "sig"}
    blob = host + (f":{port}" if port else "") + parts.path
    told = " ".join(f"{name}={values[name][:60]!r}" for name in ("sp", "se", "sr", "sip", "spr") if name in values)
    return Address(uri, blob, values.get("sp", ""), _instant(values.get("se", "")), f"{blob} {told}".strip())


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


class Answer(Struct, frozen=True):
    meaning: Meaning
    status: int
    code: str
    after_s: float
    """The storage asks for that many seconds; 0: it does not."""
    date: datetime | None


_BY_CODE: dict[str, Meaning] = {
    "Md5Mismatch": "damaged",
    "InvalidOperation": "damaged",
    "InvalidBlockList": "list",
    "AuthenticationFailed": "expired",
    "AuthorizationFailure": "expired",
    "AuthorizationPermissionMismatch": "right",
    "ContainerNotFound": "gone",
    "ContainerBeingDeleted": "gone",
    "BlobNotFound": "gone",
    "ResourceNotFound": "gone",
    "BlobImmutableDueToPolicy": "taken",
    "BlobAlreadyExists": "taken",
}
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


def meaning(status: int, code: str) -> Meaning:
    """`stored`; `again`: the same bytes later; `damaged` on the way, of which a web server's bare 400 is a sign too;
    `gone`: the storage knows no such place; `list`: staged blocks are gone or somebody has committed them; `expired`
    permission; `right`: the permission does not go that far; `taken`: somebody has committed; `refused`: never;
    `foreign`: not the storage has answered (11.4).
    """
    if status == 201:
        return "stored"
    if status in _AGAIN:
        return "again"
    if not code:
        return "damaged" if status == 400 else "foreign"
    if status == 403:
        return _BY_CODE.get(code, "expired")
    return _BY_CODE.get(code, "refused") if status in (400, 404, 409) else "refused"


def answered(answer: HttpAnswer) -> Answer:
    code = answer.header("x-ms-error-code")
    if not code and (found := _CODE.search(answer.body)):
        code = found[1].decode()
    code = code if code.isalnum() else ""
    asked = answer.header("Retry-After")
    after_s = min(float(asked), 120.0) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0.0
    return Answer(meaning(answer.status, code), answer.status, code[:64], after_s, _date(answer.header("Date")))


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


class BlobStorage:
    """The requests to one blob. Each raises what `Outbound.ask` raises."""

    def __init__(self, link: Outbound, address: Address, tag: bytes, metadata: str) -> None:
        self._link = link
        self._uri = address.uri + ("&" if "?" in address.uri else "?")
        self._plain_uri = address.uri
        self._tag = tag
        self._metadata = ("x-ms-meta-encryptiondata", metadata)

    async def put_block(self, number: int, body: Body, md5: bytes) -> Answer:
        target = f"{self._uri}comp=block&blockid={quote(block_id(self._tag, number), safe='')}"
        return await self._put(target, [_md5(md5)], body)

    async def commit(self, count: int) -> Answer:
        """All blocks of this attempt, and the metadata in the same request: every repeat carries it (11.1)."""
        entries = "".join(f"<Uncommitted>{block_id(self._tag, n)}</Uncommitted>" for n in range(count))
        document = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{entries}</BlockList>'
        headers = [("Content-Type", "application/xml"), self._metadata]
        return await self._put(f"{self._uri}comp=blocklist", headers, document.encode())

    async def put_blob(self, body: Body, md5: bytes | None) -> Answer:
        """The whole file in one request."""
        headers = [("x-ms-blob-type", "BlockBlob"), self._metadata, *([_md5(md5)] if md5 else [])]
        return await self._put(self._plain_uri, headers, body)

    async def is_ours(self, size: int) -> bool | None:
        """Whether what is committed there is what we have sent; None when that cannot be told."""
        found = await self._link.ask("HEAD", self._plain_uri, [("x-ms-version", VERSION)])
        if found.status == 404:
            return False
        if found.status != 200:
            return None
        return found.header("Content-Length") == str(size) and found.header(self._metadata[0]) == self._metadata[1]

    async def _put(self, url: str, headers: Sequence[tuple[str, str]], body: "Body | bytes") -> Answer:
        return answered(await self._link.ask("PUT", url, [("x-ms-version", VERSION), *headers], body))


def _md5(digest: bytes) -> tuple[str, str]:
    return ("Content-MD5", base64.b64encode(digest).decode())


def in_pieces(data: memoryview, size: int) -> Iterator[memoryview]:
    for at in range(0, len(data), size):
        yield data[at : at + size]
