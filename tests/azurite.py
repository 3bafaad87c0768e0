"""Azurite, Microsoft's emulator of blob storage, on loopback: from the cache that tests/servers.py fills."""

import base64
import contextlib
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, generate_blob_sas
from tests.servers import script_of

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has; published."""
CONTAINER = "evidence"


def why_not() -> str:
    """Why it cannot be started here; empty if it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    return "" if script_of("azurite").exists() else "azurite could not be installed from npm (tests/servers.py)"


needs_azurite = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Azurite:
    """A running server with one container."""

    def __init__(self, port: int, process: "subprocess.Popen[str]") -> None:
        self.port = port
        self.process = process
        self.service = BlobServiceClient(f"http://127.0.0.1:{port}/{ACCOUNT}", credential=KEY)
        self.service.create_container(CONTAINER)

    def uri(self, name: str, rights: str = "cw", valid: timedelta = timedelta(hours=1), port: int = 0) -> str:
        """The address of a blob with these rights, by way of another port (a proxy's) if given."""
        permission = generate_blob_sas(
            ACCOUNT, CONTAINER, name, account_key=KEY, permission=rights, expiry=datetime.now(UTC) + valid
        )
        return f"http://127.0.0.1:{port or self.port}/{ACCOUNT}/{CONTAINER}/{name}?{permission}"

    def read(self, name: str) -> tuple[bytes, dict[str, str]]:
        """Content and metadata, as they are stored."""
        found = self.service.get_blob_client(CONTAINER, name).download_blob()
        return found.readall(), dict(found.properties.metadata)

    def decrypted(self, name: str, key: object) -> bytes:
        """The plain text, as Azure's library reads it with the private key."""
        options: dict[str, Any] = {"require_encryption": True, "key_encryption_key": key}
        client = BlobServiceClient(f"http://127.0.0.1:{self.port}/{ACCOUNT}", credential=KEY, **options)
        with client, client.get_blob_client(CONTAINER, name) as blob:
            return blob.download_blob().readall()

    def block_ids(self, name: str) -> list[bytes]:
        """Of the committed blocks, in the blob's order."""
        url = self.uri(name, "r") + "&comp=blocklist&blocklisttype=committed"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return [base64.b64decode(found) for found in re.findall(rb"<Name>([^<]+)</Name>", answer.read())]


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[Azurite]:
    """Started on a free port with its data in the folder."""
    command = ["node", script_of("azurite").with_name("azurite-blob"), "--blobPort", "0", "--location", folder]
    process = subprocess.Popen(
        [*map(str, command), "--silent", "--skipApiVersionCheck", "--disableTelemetry"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise RuntimeError(f"azurite did not start: {said}")
        server = Azurite(int(found[1]), process)
        try:
            yield server
        finally:
            server.service.close()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
