"""Requests to a service cloud: in parts, packed, with keys that stay the same (connectors.md 2.3, 2.4). Pure.

The documents themselves are written by engine/inventory/telling.py.
"""

import gzip
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

GZIP_ABOVE = 16 * 1024


def inventory_parts(body: bytes, most: int) -> Sequence[bytes]:
    """An extended inventory in parts of at most `most` devices; removals go with the last, when all else is there.

    Without `sync` nothing says that there are parts, so a brief inventory stays whole (connectors.md 2.3).
    """
    document: dict[str, Any] = msgspec.json.decode(body)
    devices, sync = document["devices"], document.get("sync")
    if sync is None or len(devices) <= most:
        return [body]
    chunks = [devices[at : at + most] for at in range(0, len(devices), most)]
    made = []
    for part, chunk in enumerate(chunks, start=1):
        removed = document.get("removed", []) if part == len(chunks) else []
        numbered = {**sync, "part": part, "parts": len(chunks)}
        made.append(msgspec.json.encode({**document, "devices": chunk, "removed": removed, "sync": numbered}))
    return made


def event_key(event_id: str) -> str:
    """The Idempotency-Key of a health event."""
    return f"evt:{event_id}"


def events_key(event_ids: Sequence[str]) -> str:
    """The Idempotency-Key of several in one request: the same for the same ones."""
    return f"evt:{len(event_ids)}:{hashlib.sha256(chr(0).join(event_ids).encode()).hexdigest()[:32]}"


def source_key(event_id: str) -> str:
    """The Idempotency-Key of a system's own state."""
    return f"src:{event_id}"


def inventory_key(run_id: str, part: int, body: bytes) -> str:
    """The Idempotency-Key of one part of an inventory, counted from 1. States may have changed since the run, and a
    receiver that keeps keys would take that for a repetition: so the key also says what the content is.
    """
    return f"inv:{run_id}:{part}:{hashlib.sha256(body).hexdigest()[:12]}"


def packed(body: bytes) -> bytes:
    """The same bytes on every attempt: no time stands in it."""
    return gzip.compress(body, mtime=0)
