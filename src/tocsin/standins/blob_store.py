"""Block blobs as the service keeps them: staged blocks, block lists, contents in files. What is refused carries the
service's own code.
"""

import base64
import binascii
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from lxml import etree
from msgspec import Struct

MOST_BLOCKS = 50_000
METADATA_LIMIT = 8192
_LONGEST_ID = 64
_CHUNK = 1024 * 1024

Origin = Literal["Committed", "Uncommitted", "Latest"]
_ORIGINS: dict[str, Origin] = {"Committed": "Committed", "Uncommitted": "Uncommitted", "Latest": "Latest"}


class Refused(Exception):
    """A request that the service does not carry out, with its status and code."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code


class Block(Struct, frozen=True):
    """`id` in base64, as it came."""

    id: str
    file: Path
    size: int


class Blob(Struct, frozen=True):
    blocks: tuple[Block, ...]
    metadata: dict[str, str]

    @property
    def size(self) -> int:
        return sum(block.size for block in self.blocks)

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The content from `start` up to and without `end`."""
        at, end = 0, self.size if end is None else end
        for block in self.blocks:
            first, last = max(start - at, 0), min(end - at, block.size)
            at += block.size
            if first < last:
                yield from _part(block.file, first, last)


def _part(file: Path, first: int, last: int) -> Iterator[bytes]:
    with file.open("rb") as content:
        content.seek(first)
        while first < last and (piece := content.read(min(_CHUNK, last - first))):
            first += len(piece)
            yield piece


class BlobStore:
    """Blobs by `container/name`; contents in files of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._staged: dict[str, dict[str, Block]] = {}
        self._committed: dict[str, Blob] = {}

    def new_file(self) -> Path:
        """Where a request's body is written before it is known to be right."""
        return self._folder / f"{next(self._numbers):08d}"

    def blob(self, path: str) -> Blob:
        """Raises Refused."""
        found = self._committed.get(path)
        if found is None:
            raise Refused(404, "BlobNotFound")
        return found

    def paths(self) -> Sequence[str]:
        return list(self._committed)

    def staged(self, path: str) -> Sequence[Block]:
        return list(self._staged.get(path, {}).values())

    def exists(self, path: str) -> bool:
        return path in self._committed

    def stage(self, path: str, block: Block) -> None:
        """Raises Refused; the last block that is stored under an id counts."""
        size = _id_size(block.id)
        staged = self._staged.setdefault(path, {})
        known = [*staged, *(one.id for one in self._committed[path].blocks if one.id)] if self.exists(path) else staged
        if any(_id_size(other) != size for other in known):
            raise Refused(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        if len(staged) >= 2 * MOST_BLOCKS:
            raise Refused(409, "BlockCountExceedsLimit")
        staged[block.id] = block

    def commit(self, path: str, listed: Sequence[tuple[Origin, str]], metadata: dict[str, str]) -> Blob:
        """Raises Refused. Staged blocks that are not in the list are gone; so is metadata that is not given."""
        if len(listed) > MOST_BLOCKS:
            raise Refused(400, "BlockListTooLong")
        staged = self._staged.get(path, {})
        before = {block.id: block for block in self._committed[path].blocks} if self.exists(path) else {}
        blob = Blob(tuple(_listed(origin, name, staged, before) for origin, name in listed), metadata)
        self._staged.pop(path, None)
        self._committed[path] = blob
        return blob

    def put(self, path: str, file: Path, size: int, metadata: dict[str, str]) -> Blob:
        """A whole blob in one request."""
        self._staged.pop(path, None)
        self._committed[path] = Blob((Block("", file, size),), metadata)
        return self._committed[path]

    def forget(self, path: str) -> None:
        """As if people had removed it, staged blocks and all."""
        self._staged.pop(path, None)
        self._committed.pop(path, None)


def _listed(origin: Origin, name: str, staged: dict[str, Block], before: dict[str, Block]) -> Block:
    places = {"Committed": [before], "Uncommitted": [staged], "Latest": [staged, before]}[origin]
    for place in places:
        if name in place:
            return place[name]
    raise Refused(400, "InvalidBlockList", "The specified block list is invalid.")


def _id_size(name: str) -> int:
    try:
        size = len(base64.b64decode(name, validate=True))
    except binascii.Error:
        size = 0
    if not 0 < size <= _LONGEST_ID:
        raise Refused(400, "InvalidQueryParameterValue", "blockid")
    return size


def read_list(document: bytes) -> list[tuple[Origin, str]]:
    """Put Block List's body. Raises Refused."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError:
        raise Refused(400, "InvalidXmlDocument") from None
    if root.tag != "BlockList":
        raise Refused(400, "InvalidXmlDocument")
    found: list[tuple[Origin, str]] = []
    for child in root:
        origin = _ORIGINS.get(str(child.tag))
        if origin is None:
            raise Refused(400, "InvalidXmlDocument")
        found.append((origin, str(child.text or "")))
    return found
