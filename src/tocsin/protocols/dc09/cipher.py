"""AES in CBC mode with an IV of zeros, fresh for every message, and the pad that hides it (dc09.md 9)."""

from functools import lru_cache
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK = 16
_SHORTEST_PAD = 16
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FAIR = 256 // len(_ALPHABET) * len(_ALPHABET)
_TO_ALPHABET = bytes(_ALPHABET[value % len(_ALPHABET)] for value in range(256))
_UNFAIR = bytes(range(_FAIR, 256))


class Randomness(Protocol):
    """As random.SystemRandom offers it; cryptographic in the gateway."""

    def getrandbits(self, k: int, /) -> int: ...


@lru_cache(maxsize=1024)
def _cipher(key: bytes) -> Cipher[CBC]:
    return Cipher(AES(key), CBC(bytes(BLOCK)))


def encrypt(key: bytes, clear: bytes) -> bytes:
    """`clear` is a multiple of 16 bytes, `key` has 16, 24 or 32."""
    context = _cipher(key).encryptor()
    return context.update(clear) + context.finalize()


def decrypt(key: bytes, secret: bytes) -> bytes:
    """`secret` is a multiple of 16 bytes, `key` has 16, 24 or 32."""
    context = _cipher(key).decryptor()
    return context.update(secret) + context.finalize()


def pad_length(clear_length: int) -> int:
    """How many pad bytes go before a clear text of so many bytes: 16 to 31, so that the whole fills blocks."""
    return _SHORTEST_PAD + -clear_length % BLOCK


def make_pad(length: int, randomness: Randomness) -> bytes:
    """Random letters and digits, each equally likely."""
    pad = b""
    while len(pad) < length:
        drawn = randomness.getrandbits(16 * length).to_bytes(2 * length, "big")
        pad += drawn.translate(_TO_ALPHABET, _UNFAIR)
    return pad[:length]
