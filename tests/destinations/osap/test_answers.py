"""What an OSAP server's answers mean, and what is a token."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.osap.answers import judged, read_token
from tocsin.transports.http import HttpAnswer

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body", "name", "word", "part"),
    [
        (202, '{"accepted": true, "id": "7"}', "7", "delivered", "HTTP 202, id 7"),
        (202, '{"accepted": true}', "", "delivered", "HTTP 202"),
        (202, "", "9", "delivered", "id 9"),
        (202, '{"accepted": false}', "9", "refused", "accepted: false"),
        (202, "", "", "retry", "without saying what it accepted"),
        (202, "[1]", "", "retry", "without saying"),
        (202, '{"accepted": "true"}', "", "retry", "without saying"),
        (200, '{"accepted": true}', "7", "retry", "where OSAP answers 202"),
        (400, '{"error": "bad_request", "message": "no code"}', "", "refused", "bad_request: no code"),
        (401, "", "", "unreachable", "Check api_key"),
        (403, "", "", "refused", "forbids"),
        (404, "<html>", "", "refused", "<html>"),
        (413, "", "", "refused", "Lower photos"),
        (415, "", "", "refused", "another media type"),
        (429, "", "", "retry", "429"),
        (500, '{"error": 1, "message": ["x"]}', "", "retry", "500"),
        (301, "", "", "retry", "redirects"),
    ],
)
def test_answers(status: int, body: str, name: str, word: str, part: str) -> None:
    headers = (("osap-accepted-id", name),) if name else ()
    found = judged(HttpAnswer(status, "", headers, body.encode()), "arc", AT)
    assert found.word == word
    assert part in (found.reason or found.answer)


@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=20))
def test_any_answer_has_a_meaning(status: int, body: bytes, name: str) -> None:
    found = judged(HttpAnswer(status, name, (("OSAP-Accepted-Id", name),), body), "arc", AT)
    assert (found.word == "delivered") <= (status == 202)
    assert found.reason or found.word == "delivered"


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"access_token": "abc", "token_type": "Bearer", "expires_in": 60}', ("abc", 60)),
        (b'{"access_token": "abc", "expires_in": "60"}', ("abc", 60)),
        (b'{"access_token": "abc"}', ("abc", 300)),
        (b'{"access_token": "a\\r\\nX: y"}', None),
        (b'{"access_token": "a b"}', None),
        (b'{"access_token": ""}', None),
        (b'{"access_token": "abc", "token_type": "mac"}', None),
        (b'{"access_token": 7}', None),
        (b"[]", None),
        (b"[" * 9999, None),
        (b"\xff", None),
    ],
)
def test_tokens(body: bytes, token: tuple[str, float] | None) -> None:
    found = read_token(body)
    assert (found and (found.access_token, found.expires_in)) == token


@given(st.binary(max_size=200))
def test_any_bytes_are_a_token_or_none(body: bytes) -> None:
    assert read_token(body) is None or body.startswith((b"{", b" ", b"\t", b"\r", b"\n"))
