"""The stand-in of blob storage against Azure's own client, and what it refuses."""

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import generate_blob_sas
from azure.storage.blob.aio import BlobClient
from tests.cli.conftest import line_with, started

from tocsin.engine.clock import LoopClock
from tocsin.standins.blob_store import BlobStore
from tocsin.standins.blobs import ACCOUNT, CONTAINER, BlobStandin, Fault

KEY = b"k" * 32
LARGE = {f"x-ms-meta-{letter}": letter * 5000 for letter in "ab"}


class Watched(BlobStandin):
    told: list[dict[str, Any]]


@pytest.fixture
async def standin(tmp_path: Path) -> AsyncIterator[Watched]:
    told: list[dict[str, Any]] = []
    standin = Watched("127.0.0.1:0", told.append, LoopClock(), BlobStore(tmp_path), KEY)
    standin.told = told
    await standin.start()
    yield standin
    await standin.aclose()


def block_name(number: int) -> str:
    return base64.b64encode(b"%016d" % number).decode()


async def put(uri: str, body: bytes = b"", headers: dict[str, str] | None = None, name: str = "") -> tuple[int, str]:
    """Status and code."""
    target = f"{uri}&comp=block&blockid={quote(name, safe='')}" if name else uri
    sent = {"x-ms-version": "2021-08-06", **(headers or {})}
    async with aiohttp.ClientSession() as session, session.put(target, data=body, headers=sent) as answer:
        return answer.status, answer.headers.get("x-ms-error-code", "")


async def commit(uri: str, *entries: str) -> tuple[int, str]:
    document = f"<BlockList>{''.join(entries)}</BlockList>"
    return await put(f"{uri}&comp=blocklist", document.encode())


def listed(number: int, origin: str = "Uncommitted") -> str:
    return f"<{origin}>{block_name(number)}</{origin}>"


async def test_azures_own_client_stores_and_reads(standin: Watched) -> None:
    content = os.urandom(300_000)
    sizes = {"max_single_put_size": 1000, "max_block_size": 65536, "max_single_get_size": 50_000}
    async with BlobClient.from_blob_url(standin.address("clip", "rcw"), **sizes) as client:
        await client.upload_blob(content, metadata={"Colour": "red"}, overwrite=True)
        found = await client.download_blob()
        assert await found.readall() == content
        assert found.properties.metadata == {"colour": "red"}
        committed, _ = await client.get_block_list("all")
        assert sum(block.size for block in committed) == len(content)


async def test_a_permission_that_azures_library_has_signed_is_accepted(standin: Watched) -> None:
    uri, _, _ = standin.address("clip").partition("?")
    signed = generate_blob_sas(
        ACCOUNT, CONTAINER, "clip", account_key=base64.b64encode(KEY).decode(), permission="cw",
        expiry=datetime.now(UTC) + timedelta(hours=1), start=datetime.now(UTC) - timedelta(hours=1),
        protocol="https,http",
    )  # fmt: skip
    assert await put(f"{uri}?{signed}", b"x", {"x-ms-blob-type": "BlockBlob"}) == (201, "")


async def test_permissions_are_checked(standin: Watched) -> None:
    uri = standin.address("clip")
    blob = {"x-ms-blob-type": "BlockBlob"}
    assert await put(uri.replace("sp=cw", "sp=rcw"), b"x", blob) == (403, "AuthenticationFailed")
    assert await put(uri.replace("/clip?", "/clip2?"), b"x", blob) == (403, "AuthenticationFailed")
    assert await put(standin.address("clip", valid_s=-1), b"x", blob) == (403, "AuthenticationFailed")
    assert await put(standin.address("clip", "c"), b"x", name="AAAA") == (403, "AuthorizationPermissionMismatch")
    assert await put(standin.address("clip", "r"), b"x", blob) == (403, "AuthorizationPermissionMismatch")
    assert await put(standin.address("clip", "c"), b"x", blob) == (201, "")
    assert await put(standin.address("clip", "c"), b"x", blob) == (409, "BlobAlreadyExists")
    assert await put(uri.replace("/evidence/", "/other/"), b"x", blob) == (404, "ContainerNotFound")


async def test_what_is_wrong_is_refused_with_the_services_codes(standin: Watched) -> None:
    uri = standin.address("clip", "rcw")
    wrong = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    assert await put(uri, b"x", {"Content-MD5": wrong}, block_name(0)) == (400, "Md5Mismatch")
    assert await put(uri, b"", None, block_name(0)) == (400, "InvalidHeaderValue")
    assert await put(uri, b"x", None, block_name(0)) == (201, "")
    assert await put(uri, b"x", None, base64.b64encode(b"short").decode()) == (400, "InvalidBlobOrBlock")
    assert await put(uri, b"x", None, "no base64!") == (400, "InvalidQueryParameterValue")
    assert await put(uri, b"x", None, base64.b64encode(b"x" * 65).decode()) == (400, "InvalidQueryParameterValue")
    assert await put(uri, b"x") == (400, "MissingRequiredHeader")
    assert await put(uri, b"x", {"x-ms-blob-type": "BlockBlob", **LARGE}) == (400, "MetadataTooLarge")
    assert await put(uri, b"x", {"x-ms-version": "2017-01-01"}, block_name(0)) == (400, "InvalidHeaderValue")
    assert await put(f"{uri}&comp=blocklist", b"<BlockList") == (400, "InvalidXmlDocument")
    assert await put(f"{uri}&comp=blocklist", b"<Other/>") == (400, "InvalidXmlDocument")
    assert await commit(uri, listed(7)) == (400, "InvalidBlockList")


async def test_the_first_commit_wins_whole(standin: Watched) -> None:
    """clearance.md 11.2."""
    uri = standin.address("clip", "rcw")
    for number, data in ((0, b"zero"), (1, b"one"), (1, b"ONE"), (2, b"never listed")):
        assert await put(uri, data, None, block_name(number)) == (201, "")
    assert await commit(uri, listed(0), listed(1)) == (201, "")
    assert standin.content("clip")[0] == b"zeroONE"
    assert await commit(uri, listed(0), listed(1)) == (400, "InvalidBlockList")
    assert await commit(uri, listed(2)) == (400, "InvalidBlockList")
    assert await commit(uri, listed(1, "Committed"), listed(0, "Latest")) == (201, "")
    assert standin.content("clip")[0] == b"ONEzero"


async def test_what_nobody_should_do_is_noted_and_no_signature_is_told(standin: Watched) -> None:
    uri = standin.address("clip")
    await put(uri, b"x", {"Authorization": "Bearer t"}, block_name(0))
    await commit(uri, listed(0))
    assert [one["problems"] for one in standin.told] == [
        ["an Authorization header was sent", "a block without Content-MD5"],
        ["a commit without encryptiondata"],
    ]
    assert [one["status"] for one in standin.told] == [201, 201]
    assert "sig=" not in json.dumps(standin.told)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("busy", (503, "ServerBusy")),
        ("expire", (403, "AuthenticationFailed")),
        ("damage", (400, "Md5Mismatch")),
        ("gone", (404, "ContainerNotFound")),
        ("immutable", (409, "BlobImmutableDueToPolicy")),
    ],
)
async def test_it_fails_on_command_and_once(standin: Watched, kind: Any, code: tuple[int, str]) -> None:
    standin.switches.faults["block"] = [Fault(kind)]
    uri = standin.address("clip")
    assert await put(uri, b"x", None, block_name(0)) == code
    assert not standin.store.staged(f"{CONTAINER}/clip")
    assert await put(uri, b"x", None, block_name(0)) == (201, "")


@pytest.mark.parametrize(("kind", "stored"), [("drop", 0), ("swallow", 1)])
async def test_answers_that_never_come(standin: Watched, kind: Any, stored: int) -> None:
    standin.switches.faults["block"] = [Fault(kind)] * 2  # this client tries once more by itself
    with pytest.raises(aiohttp.ClientError):
        await put(standin.address("clip"), b"x" * 100, None, block_name(0))
    assert len(standin.store.staged(f"{CONTAINER}/clip")) == stored


async def test_reading_what_is_not_there(standin: Watched) -> None:
    async with BlobClient.from_blob_url(standin.address("nothing", "r")) as client:
        with pytest.raises(HttpResponseError, match="BlobNotFound"):
            await client.download_blob()


def test_it_is_started_by_name(tmp_path: Path) -> None:
    switches = ("--place", "clip", "--fault", "busy", "--on", "blob", "--times", "1", "--retry-after", "7")
    with started(tmp_path, "simulate", "blobs", "--listen", "127.0.0.1:0", *switches) as station:
        line_with(station.stderr, "listening on")
        uri = json.loads(line_with(station.stdout, "place").string)["uri"]
        request = urllib.request.Request(
            uri, b"x", {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-08-06"}, method="PUT"
        )
        with pytest.raises(urllib.error.HTTPError, match="503") as busy:
            urllib.request.urlopen(request, timeout=30)
        assert busy.value.headers["Retry-After"] == "7"
        busy.value.close()
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
    assert station.returncode == 0
