"""What a registry and a storage say about uploads: any answer has a meaning, any address and key is read or refused
without its secrets, any line of a custody log is one or is not.
"""

from datetime import UTC, datetime
from typing import get_args

import msgspec

from tocsin.evidence.custody import NoLine, digest_of, read_line
from tocsin.evidence.encryption import KeyRefused, metadata, read_key, wrapped
from tocsin.evidence.storage import AddressRefused, Meaning, answered, read_address
from tocsin.transports.http import HttpAnswer

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SEEDS = (
    b'\0\x93<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code><Message>x</Message></Error>',
    b"\1https://b.example.net/evidence/clip?sv=2021-08-06&sp=cw&se=2026-03-04T06%3A06%3A07Z&sr=b&sig=x%2Fy",
    b"\1http://127.0.0.1:10000/a/e/c?se=9999-12-31T23:59:59-23:59&sig=x",
    b'\2{"kty":"RSA","kid":"k","n":"' + b"x" * 342 + b'","e":"AQAB","d":null}',
    b'\3{"agent":"city","number":1,"previous":"' + b"0" * 64 + b'","at":"2026-03-04T05:06:07Z"}',
)


def one(data: bytes) -> None:
    READERS[data[0] % len(READERS)](data[1:]) if data else None


def _answer(data: bytes) -> None:
    status = 100 + (data[0] * 2 if data else 0)
    headers = (("Retry-After", data[:9].decode("latin-1")), ("Date", data[:40].decode("latin-1")))
    found = answered(HttpAnswer(status, "", headers, data[1:]))
    assert found.meaning in get_args(Meaning)
    assert (found.meaning == "stored") == (status == 201)
    assert 0.0 <= found.after_s <= 120.0
    assert not found.code or found.code.isalnum()
    assert found.date is None or found.date.tzinfo is not None


def _address(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        address = read_address(text)
    except AddressRefused as refused:
        assert "sig=" not in str(refused)
        return
    assert address.uri == text
    assert "?" not in address.public
    assert address.shown.isprintable()
    if address.expires_at is not None:
        (min(address.expires_at, NOW) - NOW).total_seconds()
    assert address.public.startswith(("https://", "http://"))


def _key(data: bytes) -> None:
    try:
        given = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    try:
        key = read_key(given)
        wrapped_key = wrapped(key, b"k" * 32)
    except KeyRefused as refused:
        assert str(refused)
        return
    line = metadata(b"i" * 16, wrapped_key, key.key_id)
    assert line.isascii()
    assert line.isprintable()


def _line(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        line = read_line(text)
    except NoLine as why:
        assert str(why)
        return
    assert line.number > 0
    assert len(digest_of(text)) == 64


READERS = (_answer, _address, _key, _line)
