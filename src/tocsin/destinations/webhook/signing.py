"""Signatures of requests: Standard Webhooks 1.0.0 (receivers.md 11) and X-Signature-256 (stations.md 7.1). Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

Headers = list[tuple[str, str]]
_PREFIX = "whsec_"


def check_key(signing: str, key: str) -> None:
    """Raises ValueError when the key cannot be used for this way of signing."""
    if signing == "standard-webhooks":
        _decoded(key)
    elif len(key.encode()) < 16:
        raise ValueError("a signing key has at least 16 characters")


def signature_headers(signing: str, keys: Sequence[str], message_id: str, timestamp: int, body: bytes) -> Headers:
    """The headers that prove who sent `body`; one signature per key. `timestamp`: Unix seconds of this attempt."""
    if signing == "standard-webhooks":
        return [
            ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", " ".join(standard_signature(key, message_id, timestamp, body) for key in keys)),
        ]
    if signing == "hmac-sha256":
        return [("X-Signature-256", ",".join(body_signature(key, body) for key in keys))]
    return []


def standard_signature(key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`. `key` is `whsec_` and base64."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(_decoded(key), signed, hashlib.sha256)).decode()


def body_signature(key: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA-256 of the body; the key is the text itself."""
    return "sha256=" + hmac.digest(key.encode(), body, hashlib.sha256).hex()


def _decoded(key: str) -> bytes:
    if not key.startswith(_PREFIX):
        raise ValueError(f"a Standard Webhooks key starts with {_PREFIX}")
    try:
        raw = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {_PREFIX} is no base64") from None
    if not 24 <= len(raw) <= 64:
        raise ValueError(f"a Standard Webhooks key has 24 to 64 bytes; this one has {len(raw)}")
    return raw
