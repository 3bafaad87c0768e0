"""The storage, as the registry uses it: it signs places for files, and reads and decrypts what lies there."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from tocsin.standins.blob_access import permission
from tocsin.standins.clearance.keys import Integration

READ_LIMIT = 512 * 1024 * 1024


class Shelf:
    """`root` is the address of the account, `http://127.0.0.1:10000/devstoreaccount1`; `key` its key."""

    def __init__(self, root: str, key: bytes, container: str, integration: Integration) -> None:
        self._root = root.rstrip("/")
        self._account = self._root.rpartition("/")[2]
        self._key = key
        self._container = container
        self._integration = integration

    def place(self, blob: str, rights: str, until: datetime) -> str:
        """The address of a blob with a permission."""
        path = f"{self._container}/{blob}"
        return f"{self._root}/{quote(path)}?{permission(self._account, path, self._key, rights, until)}"

    async def check(self, blob: str, now: Callable[[], datetime]) -> dict[str, Any]:
        """What lies there, decrypted: sizes and digests, or `problem`."""
        try:
            status, data, metadata = await self._read(self.place(blob, "r", now() + timedelta(minutes=10)))
            if status == 404:
                return {"problem": "nothing is stored there"}
            if status != 200:
                return {"unread": f"the storage answers {status}"}
            return {"sha256_cipher": _digest(data), "cipher": len(data), **self._decrypted(data, metadata)}
        except (aiohttp.ClientError, OSError) as error:
            return {"unread": str(error)}

    async def _read(self, address: str) -> tuple[int, bytes, str]:
        async with aiohttp.ClientSession() as session, session.get(address) as answer:
            data = await answer.content.read(READ_LIMIT)
            while chunk := await answer.content.read(READ_LIMIT - len(data)):
                data += chunk
            return answer.status, data, answer.headers.get("x-ms-meta-encryptiondata", "")

    def _decrypted(self, data: bytes, metadata: str) -> dict[str, Any]:
        try:
            said = json.loads(metadata)
            key = self._integration.unwrapped(said)
            iv = base64.b64decode(said["ContentEncryptionIV"], validate=True)
            plain = _unpadded(Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor().update(data))
        except (ValueError, KeyError, TypeError) as error:
            return {"problem": f"cannot be decrypted: {type(error).__name__}: {error}"}
        return {"size": len(plain), "sha256": _digest(plain), "looks_like": _looks_like(plain)}


def _unpadded(data: bytes) -> bytes:
    remover = PKCS7(128).unpadder()
    return remover.update(data) + remover.finalize()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _looks_like(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "mp4"
    if data[:2] == b"\xff\xd8":
        return "jpeg"
    return "json" if data[:1] in (b"{", b"[") else "something else"
