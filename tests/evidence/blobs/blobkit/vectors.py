"""The worked example of clearance.md 10.4, and Azure's own reader of version 1 as the independent peer."""

import base64
import hashlib
from typing import Any

from azure.storage.blob._encryption import decrypt_blob
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

N = (
    "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8MW2Krf3S"
    "psk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QChLOln0_mtUZwfsRaMS"
    "tPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJArm-L5StowjzGy-_bq6Gw"
)
E = "AQAB"
D = (
    "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh2anTpTD9"
    "3Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p24moOAbgxVw3rxT_vl"
    "t3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3lOW085-4qE3DzgrTjgyQ"
)
P = (
    "1r52Xk46c-LsfB5P442p7atdPUrxQSy4mti_tZI3Mgf2EuFVbUoDBvaRQ-SWxkbkmoEzL7JXroSBjSrK3YIQgYdMgyAEPTPjXv_hI2_1eTSPVZfzL0lf"
    "fNn03IXqWF5MDFuoUYE0hzb2vhrlN_rKrbfDIwUbTrjjgieRbwC6Cl0"
)
Q = (
    "wLb35x7hmQWZsWJmB_vle87ihgZ19S8lBEROLIsZG4ayZVe9Hi9gDVCOBmUDdaDYVTSNx_8Fyw1YYa9XGrGnDew00J28cRUoeBB_jKI1oma0Orv1T9aX"
    "IWxKwd4gvxFImOWr3QRL9KEBRzk2RatUBnmDZJTIAfwTs0g68UZHvtc"
)
KID = "https://vault.example/keys/demo/1"
JWK: dict[str, object] = {"kty": "RSA", "kid": KID, "n": N, "e": E}

CONTENT_KEY = bytes.fromhex("b1a1f480548fe1733fb403ff6b9ad4f68a076e5b702e22692f82cb2e7aea40fc")
IV = bytes(range(16))
TAG = bytes.fromhex("a1b2c3d4e5f60718")
WRAPPED = base64.b64decode(
    "OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx/etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9"
    "d+StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam/lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i+vDxRfqNzo/tETKzpVLzfiw"
    "QyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ/ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iGdXKHzg=="
)
METADATA = (
    '{"ContentEncryptionIV":"AAECAwQFBgcICQoLDA0ODw==","EncryptionAgent":{"EncryptionAlgorithm":"AES_CBC_256","Protocol":'
    '"1.0"},"EncryptionMode":"FullBlob","WrappedContentKey":{"Algorithm":"RSA-OAEP","EncryptedKey":"OKOawDo13gRp2ojaHV7LF'
    "pZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx/etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23nfa6c9d+StnImGyFDbSv04uVuxI"
    "p5Zms1gNxKKK2Da14B8S4rzVRltdYwam/lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i+vDxRfqNzo/tETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0"
    'je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ/ZT2LawVCWTIy3brGPi6UklfCpIMfIjf7iGdXKHzg==","KeyId":"https://vault.'
    'example/keys/demo/1"}}'
)
SHORT = [
    (b"", "O/Hg98FD+5wK+wIqfMjZRw=="),
    (b"0123456789abcde", "1L3N+jwXrcINlV4lszSVdw=="),
    (b"0123456789abcdef", "2KV4SDMj41kjjiN7S3138+11Uflfq99yZYK/joS1YpM="),
    (
        b"Clearance agent test vector 001: AES-256-CBC, PKCS7, full blob.",
        "5fygbMpNH78tv9KS4bukrG0z8MtYyl1OLF8H0LvA+feRJBPNLYY1Mppek36azTL2CY2dt1pVtbZulWNWvtLWtg==",
    ),
]
LONG_SIZE = 10_000_003
BLOCK = 4_194_304
BLOCKS = [
    (4_194_304, "xRLU3tKMHYaP3CqXiAiuvw==", "bf002e7a980ddf141fcd0ad75ee6d837"),
    (4_194_304, "lrnhEGezO0Rke7ZPuhb9TQ==", "d493325dca170ab0ae08a4a0b4a9e745"),
    (1_611_408, "Zz7QOUr9BZvipDtXGHpNRQ==", "d23a53fb5bbd2e75b1704a654fb65da6"),
]
LONG_SHA256 = "c329f0a8d2c6491571469f7e2d2b456bddba28056feceb4007366241dd07ee8d"
LONG_CIPHER_SHA256 = "c4f4e33502f31b6b7257cb95404b7c22f05acde0107610809864f6b18e20bcda"


def pattern(size: int) -> bytes:
    """Byte i is i mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def noise(seed: int, size: int) -> bytes:
    """Bytes that repeat nowhere, the same for the same seed."""
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size)


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def private_key() -> rsa.RSAPrivateKey:
    p, q, d, e = (_number(text) for text in (P, Q, D, E))
    inverse = rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPublicNumbers(e, _number(N))
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), inverse, numbers).private_key()


class RegistryKey:
    """The private key of the registry, in the form that Azure's reader asks for."""

    def __init__(self) -> None:
        self._key = private_key()

    def get_kid(self) -> str:
        return KID

    def get_key_wrap_algorithm(self) -> str:
        return "RSA-OAEP"

    def wrap_key(self, key: bytes) -> bytes:
        raise AssertionError("a reader wraps nothing")

    def unwrap_key(self, key: bytes, algorithm: str) -> bytes:
        assert algorithm == "RSA-OAEP"
        sha1 = hashes.SHA1()
        return self._key.decrypt(key, padding.OAEP(mgf=padding.MGF1(sha1), algorithm=sha1, label=None))


def read_back(cipher: bytes, metadata: str) -> bytes:
    """The plain text, as Azure's own reader of version 1 finds it."""
    headers: dict[str, Any] = {
        "x-ms-meta-encryptiondata": metadata,
        "x-ms-blob-type": "BlockBlob",
        "content-length": str(len(cipher)),
    }
    return decrypt_blob(True, RegistryKey(), None, cipher, 0, 0, headers)
