"""The integration the stand-in hands out: its connection file, odd as the real one is, and the key for contents."""

import base64
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_ZERO = "0001-01-01T00:00:00"
KEY_ID = "https://vault.example.net/keys/evidence/1"
SIGNING_KEY_ID = "standin-signing-1"


class Integration:
    """`padded`: numbers of keys in standard base64 with padding instead of base64url."""

    def __init__(self, tenant: str, principal: str, padded: bool = False) -> None:
        self.tenant = tenant
        self.principal = principal
        self.signing = rsa.generate_private_key(65537, 2048)
        self.wrapping = rsa.generate_private_key(65537, 2048)
        self._padded = padded

    @property
    def client_id(self) -> str:
        return f"{self.principal}@{self.tenant}"

    def connection_file(self, sts: list[str], api: list[str]) -> dict[str, Any]:
        """As it is downloaded (3.1): explicit nulls, .NET's zero dates, addresses of services nobody asked for."""
        elsewhere = ["https://other.example.net/"]
        return {
            "SecurityTokenServiceBaseAddresses": sts,
            "ApiBaseAddresses": api,
            "DocumentStoreBaseAddresses": elsewhere,
            "KeyStoreBaseAddresses": elsewhere,
            "APIKey": "standin-api-key",
            "ServicePrincipalId": self.principal,
            "TenantId": self.tenant,
            "ServicePrincipalKey": {**self._private(), "k": None, "use": None, "x5t": None, "nbf": _ZERO, "exp": _ZERO},
            "CertificateThumbprints": [],
            "DisableEncryption": False,
            "IntegrationName": "Tocsin stand-in",
        }

    def _private(self) -> dict[str, Any]:
        numbers = self.signing.private_numbers()
        public = numbers.public_numbers
        named = {
            "n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q,
            "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp,
        }  # fmt: skip
        return {"kid": SIGNING_KEY_ID, "kty": "RSA", **{name: self._written(value) for name, value in named.items()}}

    def wrapping_jwk(self) -> dict[str, Any]:
        """The JsonWebKey of InitializeUpload."""
        public = self.wrapping.public_key().public_numbers()
        numbers = {"n": self._written(public.n), "e": self._written(public.e)}
        return {"kid": KEY_ID, "kty": "RSA", **numbers, "key_ops": ["wrapKey"], "d": None, "k": None}

    def _written(self, number: int) -> str:
        data = number.to_bytes((number.bit_length() + 7) // 8, "big")
        if self._padded:
            return base64.b64encode(data).decode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    def unwrapped(self, encryption: Mapping[str, Any]) -> bytes:
        """The content key of a blob. Raises ValueError."""
        wrapped = encryption["WrappedContentKey"]
        if wrapped["KeyId"] != KEY_ID or wrapped["Algorithm"] != "RSA-OAEP":
            raise ValueError("wrapped with another key or algorithm")
        sha1 = hashes.SHA1()  # noqa: S303  (RSA-OAEP of RFC 7518)
        oaep = padding.OAEP(mgf=padding.MGF1(sha1), algorithm=sha1, label=None)
        return self.wrapping.decrypt(base64.b64decode(wrapped["EncryptedKey"], validate=True), oaep)
