"""Client-side encryption of a file as Azure Blob Storage knows it, protocol 1.0 (clearance.md 10): bytes in, bytes out.

Keys and IVs are arguments. The whole file is one CBC stream; padding comes at its end.
"""

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from msgspec import Struct

KEY_SIZE = 32
IV_SIZE = 16
TAG_SIZE = 8
CIPHER_UNIT = 16
SLACK = 2 * CIPHER_UNIT
"""How much longer than the cipher text a buffer must be that is encrypted into."""
MOST_BLOCKS = 50_000
_MIB = 1024 * 1024
_LEAST_BLOCK = 4 * _MIB
_RSA_BITS = range(2048, 16_385)
_LONGEST_KEY_ID = 2048
_LONGEST_NUMBER = 4096


class KeyRefused(ValueError):
    """A JsonWebKey that may not be used; the text says why (10.3)."""


class WrappingKey(Struct, frozen=True):
    """The registry's public key, which the content key is wrapped with."""

    key_id: str
    public: RSAPublicKey


def read_key(jwk: Mapping[str, object]) -> WrappingKey:
    """The JsonWebKey of InitializeUpload: nulls, more members, either alphabet of base64. Raises KeyRefused."""
    members = {name.lower(): value for name, value in jwk.items() if value is not None}
    if members.get("kty") != "RSA":
        raise KeyRefused(f"its kty is {str(members.get('kty'))[:20]!r}; only RSA wraps a content key")
    if "d" in members:
        raise KeyRefused("it holds a private key, which nobody but the registry should have")
    key_id = members.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_KEY_ID:
        raise KeyRefused("it has no kid, by which the registry would find its private key")
    modulus, exponent = _number(members, "n"), _number(members, "e")
    if modulus.bit_length() not in _RSA_BITS:
        raise KeyRefused(f"its n has {modulus.bit_length()} bits; 2048 are the least, 16384 the most")
    try:
        return WrappingKey(key_id, RSAPublicNumbers(exponent, modulus).public_key())
    except ValueError as error:
        raise KeyRefused(f"its numbers are no RSA key: {error}") from None


def _number(members: Mapping[str, object], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NUMBER:
        raise KeyRefused(f"its {name} is missing or no text")
    standard = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return int.from_bytes(base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True), "big")
    except ValueError:
        raise KeyRefused(f"its {name} is not base64") from None


def wrapped(key: WrappingKey, content_key: bytes) -> bytes:
    """RSA-OAEP as in RFC 7518: SHA-1, MGF1 with SHA-1, empty label (10.1). Raises KeyRefused for numbers that look like
    a key and are none.
    """
    sha1 = hashes.SHA1()  # noqa: S303
    try:
        return key.public.encrypt(content_key, padding.OAEP(mgf=padding.MGF1(sha1), algorithm=sha1, label=None))
    except ValueError as error:
        raise KeyRefused(f"its numbers are no RSA key: {error}") from None


def metadata(iv: bytes, wrapped_key: bytes, key_id: str) -> str:
    """The value of `encryptiondata`: one line of ASCII, as it stands in a header (10.2)."""
    document = {
        "ContentEncryptionIV": base64.b64encode(iv).decode(),
        "EncryptionAgent": {"EncryptionAlgorithm": "AES_CBC_256", "Protocol": "1.0"},
        "EncryptionMode": "FullBlob",
        "WrappedContentKey": {
            "Algorithm": "RSA-OAEP",
            "EncryptedKey": base64.b64encode(wrapped_key).decode(),
            "KeyId": key_id,
        },
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


class Encryptor:
    """AES-256 in CBC mode from a multiple of 16 bytes on. `iv`: the file's own at its beginning, else the 16 bytes of
    cipher text before that place (12.2).
    """

    def __init__(self, content_key: bytes, iv: bytes) -> None:
        self._stream = Cipher(AES256(content_key), CBC(iv)).encryptor()
        self._rest = 0

    def update_into(self, plain: "memoryview | bytes", into: memoryview) -> int:
        """How much cipher text there is now; `into` is longer than `plain` by SLACK."""
        self._rest = (self._rest + len(plain)) % CIPHER_UNIT
        return self._stream.update_into(plain, into)

    def finish_into(self, into: memoryview) -> int:
        """The padding at the end of the file: always 1 to 16 bytes of plain text."""
        missing = CIPHER_UNIT - self._rest
        return self.update_into(bytes([missing]) * missing, into)


def cipher_size(size: int) -> int:
    return size - size % CIPHER_UNIT + CIPHER_UNIT


def block_size(cipher: int) -> int:
    """4 MiB, or as many whole MiB as keep a blob within its 50 000 blocks (11.2)."""
    needed = -(-cipher // MOST_BLOCKS)
    return max(_LEAST_BLOCK, -(-needed // _MIB) * _MIB)


def block_count(cipher: int, block: int) -> int:
    return -(-cipher // block)


def block_id(tag: bytes, number: int) -> str:
    """Base64 of this attempt's 8 random bytes and 8 digits, so that no two attempts share a block (11.2)."""
    return base64.b64encode(tag + b"%08d" % number).decode()
