"""The worked example of clearance.md 10.4 value by value, Azure's own reader, openssl, and keys of every spelling."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import warnings
from contextlib import closing
from pathlib import Path

import pytest
from blobkit.vectors import (
    BLOCK,
    BLOCKS,
    CONTENT_KEY,
    IV,
    JWK,
    KID,
    LONG_CIPHER_SHA256,
    LONG_SHA256,
    LONG_SIZE,
    METADATA,
    SHORT,
    TAG,
    WRAPPED,
    D,
    N,
    RegistryKey,
    noise,
    pattern,
    read_back,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.evidence.contracts import SourceChanged
from tocsin.evidence.cutting import Cutter, identity_of, md5_of
from tocsin.evidence.encryption import (
    SLACK,
    Encryptor,
    KeyRefused,
    block_count,
    block_id,
    block_size,
    cipher_size,
    metadata,
    read_key,
    wrapped,
)

MIB = 1024 * 1024


def encrypted(plain: bytes, iv: bytes = IV) -> bytes:
    into = memoryview(bytearray(cipher_size(len(plain)) + SLACK))
    encryptor = Encryptor(CONTENT_KEY, iv)
    written = encryptor.update_into(plain, into)
    written += encryptor.finish_into(into[written:])
    return bytes(into[:written])


def cut_up(file: Path, block: int = BLOCK) -> tuple[Cutter, list[tuple[bytes, bytes, bytes]]]:
    """Data, MD5 and chain value of each block."""
    source = identity_of(file.stat())
    cutter = Cutter(file, source, Encryptor(CONTENT_KEY, IV), block)
    buffer = memoryview(bytearray(block + SLACK))
    found = []
    for _ in range(block_count(cipher_size(source.size), block)):
        cut = cutter.cut(buffer)
        cutter.note(cut)
        found.append((bytes(cut.data), md5_of(cut), cut.chain))
    cutter.close()
    return cutter, found


@pytest.mark.parametrize(("plain", "cipher"), SHORT)
def test_short_files(plain: bytes, cipher: str) -> None:
    assert base64.b64encode(encrypted(plain)).decode() == cipher
    assert cipher_size(len(plain)) == len(base64.b64decode(cipher))


def test_a_file_of_several_blocks(tmp_path: Path) -> None:
    plain = pattern(LONG_SIZE)
    (tmp_path / "long").write_bytes(plain)
    cutter, blocks = cut_up(tmp_path / "long")
    assert [(len(data), base64.b64encode(md5).decode(), chain.hex()) for data, md5, chain in blocks] == BLOCKS
    assert blocks[0][0][:16].hex() == "fac922e680af7277e26163f8db239772"
    assert (cutter.sha256, cutter.cipher_sha256) == (LONG_SHA256, LONG_CIPHER_SHA256)
    # 10.4, the resume test: from the chain value after block 0 on, the same bytes
    assert encrypted(plain[BLOCK:], bytes.fromhex(BLOCKS[0][2])) == blocks[1][0] + blocks[2][0]


def test_the_wrapped_key_of_the_example_opens_and_so_does_ours() -> None:
    assert RegistryKey().unwrap_key(WRAPPED, "RSA-OAEP") == CONTENT_KEY
    ours = wrapped(read_key(JWK), CONTENT_KEY)
    assert (len(ours), ours != WRAPPED) == (256, True)
    assert RegistryKey().unwrap_key(ours, "RSA-OAEP") == CONTENT_KEY


def test_the_metadata_document() -> None:
    value = metadata(IV, WRAPPED, KID)
    assert value == METADATA
    assert len(value) == 602
    assert hashlib.sha256(value.encode()).hexdigest() == (
        "f880aeb328a72dff7519ea9019f2c9231349c0f9b0d2374b431a79034c12cfd0"
    )


def test_the_metadata_stays_one_line_of_ascii_whatever_the_key_is_called() -> None:
    value = metadata(IV, WRAPPED, 'Schlüssel\r\nx: "y"')
    assert value.isascii()
    assert value.isprintable()
    assert json.loads(value)["WrappedContentKey"]["KeyId"] == 'Schlüssel\r\nx: "y"'


def test_block_ids() -> None:
    assert [block_id(TAG, n) for n in range(3)] == [
        "obLD1OX2BxgwMDAwMDAwMA==", "obLD1OX2BxgwMDAwMDAwMQ==", "obLD1OX2BxgwMDAwMDAwMg==",
    ]  # fmt: skip
    assert len(block_id(TAG, 49_999)) == len(block_id(TAG, 0))


@pytest.mark.parametrize(
    ("cipher", "block"),
    [
        (16, 4 * MIB),
        (195 * 1024 * MIB, 4 * MIB),
        (50_000 * 4 * MIB, 4 * MIB),
        (50_000 * 4 * MIB + 16, 5 * MIB),
        (1024 * 1024 * MIB, 21 * MIB),
    ],
)
def test_sizes_of_blocks(cipher: int, block: int) -> None:
    assert block_size(cipher) == block
    assert block_count(cipher, block) <= 50_000


LENGTHS = [0, 1, 15, 16, 17, BLOCK - 16, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]


@pytest.mark.parametrize("length", LENGTHS)
def test_an_independent_reader_finds_the_file_again(length: int, tmp_path: Path) -> None:
    plain = noise(length, length)
    (tmp_path / "file").write_bytes(plain)
    _, blocks = cut_up(tmp_path / "file")
    cipher = b"".join(data for data, _, _ in blocks)
    assert len(cipher) == cipher_size(length)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader says that version 1 is old
        assert read_back(cipher, metadata(IV, wrapped(read_key(JWK), CONTENT_KEY), KID)) == plain


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_finds_the_file_again(tmp_path: Path) -> None:
    plain = noise(7, 100_001)
    (tmp_path / "cipher").write_bytes(encrypted(plain))
    command = ["openssl", "enc", "-d", "-aes-256-cbc", "-K", CONTENT_KEY.hex(), "-iv", IV.hex(), "-in", "cipher"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=60).stdout == plain


def standard(text: str) -> str:
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return base64.b64encode(decoded).decode()


@pytest.mark.parametrize(
    "jwk",
    [
        JWK,
        {**JWK, "n": standard(N)},
        {**JWK, "n": N + "=="},
        {**JWK, "d": None, "k": None, "use": None, "x5t": None, "key_ops": ["wrapKey"], "nbf": "0001-01-01T00:00:00"},
        {"Kty": "RSA", "Kid": KID, "N": N, "E": "AQAB"},
    ],
)
def test_a_key_in_every_spelling_is_the_same_key(jwk: dict[str, object]) -> None:
    key = read_key(jwk)
    assert key.key_id == KID
    assert key.public.public_numbers() == read_key(JWK).public.public_numbers()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"kty": "oct", "k": "AAAA"}, "only RSA"),
        ({"kty": None}, "only RSA"),
        ({"d": D}, "private key"),
        ({"kid": None}, "no kid"),
        ({"kid": ""}, "no kid"),
        ({"kid": 7}, "no kid"),
        ({"n": None}, "n is missing"),
        ({"n": 12}, "n is missing"),
        ({"n": "not base64!"}, "n is not base64"),
        ({"n": N[:170]}, "bits"),
        ({"n": "_" * 4097}, "n is missing"),
        ({"e": "Ag"}, "no RSA key"),
        ({"e": "AQ"}, "no RSA key"),
        ({"e": "AQAA"}, "no RSA key"),
    ],
)
def test_a_key_that_may_not_be_used_says_why(change: dict[str, object], part: str) -> None:
    with pytest.raises(KeyRefused, match=part):
        read_key({**JWK, **change})


def test_numbers_that_only_look_like_a_key_are_refused() -> None:
    """An even modulus."""
    with pytest.raises(KeyRefused, match="no RSA key"):
        wrapped(read_key({**JWK, "n": N[:-1] + "A"}), CONTENT_KEY)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["kty", "kid", "n", "e", "d", "x"]), json_values), st.booleans())
def test_whatever_comes_as_a_key_is_a_key_or_refused(members: dict[str, object], rsa: bool) -> None:
    try:
        read_key({**members, **({"kty": "RSA", "kid": "k", "d": None} if rsa else {})})
    except KeyRefused:
        return


@pytest.mark.parametrize("change", ["longer", "shorter", "touched", "replaced", "gone"])
def test_a_file_that_changes_is_not_encrypted_further(tmp_path: Path, change: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(noise(1, 3 * 65536))
    source = identity_of(file.stat())
    content = file.read_bytes()
    if change == "longer":
        file.write_bytes(content + b"x")
    elif change == "shorter":
        file.write_bytes(content[:-1])
    elif change == "touched":
        file.write_bytes(b"x" + content[1:])
        os.utime(file, ns=(0, source.mtime_ns + 1))
    else:
        file.rename(tmp_path / "moved")
        if change == "replaced":
            file.write_bytes(content)
    with pytest.raises(SourceChanged), closing(Cutter(file, source, Encryptor(CONTENT_KEY, IV), 65536)) as cutter:
        cutter.cut(memoryview(bytearray(65536 + SLACK)))


def test_a_file_that_changes_between_two_blocks_is_not_encrypted_further(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(noise(1, 3 * 65536))
    cutter = Cutter(file, identity_of(file.stat()), Encryptor(CONTENT_KEY, IV), 65536)
    buffer = memoryview(bytearray(65536 + SLACK))
    cutter.cut(buffer)
    with file.open("ab") as longer:
        longer.write(b"x")
    with pytest.raises(SourceChanged, match="has changed"):
        cutter.cut(buffer)
    cutter.close()
