"""A private authority and certificates of it, as files."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True)
class Authority:
    """`ca` is the authority's PEM file; `issue` writes a pair and returns its paths."""

    authority: trustme.CA
    folder: Path
    ca: str

    def issue(self, *names: str, expired: bool = False) -> tuple[str, str]:
        until = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC) if expired else None
        leaf = self.authority.issue_cert(*names, not_after=until)
        stem = f"{names[0]}-{expired}".replace("*", "any")
        cert, key = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return str(cert), str(key)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = trustme.CA(organization_name="Example Monitoring", organization_unit_name="Example Root")
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return Authority(made, tmp_path, str(tmp_path / "ca.pem"))
