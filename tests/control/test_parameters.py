"""Parameters as stations write them: query, form, JSON; anything else is named."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.api.control.parameters import BadParameter, Parameters, read
from tocsin.model.command import Order

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@pytest.mark.parametrize(
    ("order", "query", "kind", "body", "expected"),
    [
        ("siren", "", "", b"", Parameters()),
        ("siren", "", JSON, b" \n", Parameters()),
        ("siren", "audio=leave&duration_s=30", "", b"", Parameters("leave", 30)),
        ("siren", "", FORM, b"audio=leave%20now&duration_s=30", Parameters("leave now", 30)),
        ("siren", "", JSON, b'{"audio": "leave", "duration_s": 30}', Parameters("leave", 30)),
        ("siren", "", FORM, b'{"audio": 3}', Parameters("3")),  # what curl -d sends of JSON
        ("siren", "audio=1", JSON, b'{"duration_s": "5"}', Parameters("1", 5)),
        ("siren", "", JSON, b'{"duration_s": null}', Parameters()),
        ("disarm", "no_time_limit=true", "", b"", Parameters(no_time_limit=True)),
        ("disarm", "no_time_limit=0", "", b"", Parameters()),
        ("disarm", "", JSON, b'{"no_time_limit": true}', Parameters(no_time_limit=True)),
        ("disarm", "duration_s=3600", "", b"", Parameters(duration_s=3600)),
    ],
)
def test_what_is_understood(order: Order, query: str, kind: str, body: bytes, expected: Parameters) -> None:
    assert read(order, query, kind, body) == expected


@pytest.mark.parametrize(
    ("order", "query", "body", "says"),
    [
        ("siren", "duration=30", b"", "'duration' is no parameter here; known: audio, duration_s"),
        ("arm", "duration_s=30", b"", "'duration_s' is no parameter here; known: none"),
        ("siren", "no_time_limit=1", b"", "'no_time_limit' is no parameter here"),
        ("siren", "audio=1&audio=2", b"", "audio is given twice"),
        ("siren", "audio=1", b'{"audio": 2}', "audio is given twice"),
        ("siren", "duration_s=1.5", b"", "duration_s must be a whole number of seconds"),
        ("siren", "duration_s=-3", b"", "duration_s must be a whole number of seconds"),
        ("siren", "duration_s=", b"", "duration_s must be a whole number of seconds"),
        ("siren", "", b'{"duration_s": true}', "duration_s must be a whole number of seconds"),
        ("siren", "", b'{"audio": ["a"]}', "audio must be a name or a number"),
        ("siren", "audio=a%0d%0ab", b"", "audio must be a name or a number"),
        ("siren", "audio=" + "a" * 101, b"", "audio must be a name or a number"),
        ("disarm", "no_time_limit=perhaps", b"", "no_time_limit must be true or false"),
        ("disarm", "", b"[1]", "the body is no JSON object"),
        ("disarm", "", b"\xff{", "the body is neither a JSON object nor a form"),
        ("disarm", "&".join(f"a{n}=1" for n in range(30)), b"", "the parameters cannot be read"),
        ("siren", "audio=%ff", b"", "the parameters cannot be read"),
    ],
)
def test_what_is_not(order: Order, query: str, body: bytes, says: str) -> None:
    with pytest.raises(BadParameter) as raised:
        read(order, query, JSON, body)
    assert str(raised.value).startswith(says)


@given(
    st.sampled_from(["siren", "stop_siren", "arm", "disarm"]),
    st.text(max_size=60),
    st.sampled_from([FORM, JSON, ""]),
    st.binary(max_size=80) | st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.integers()),
)
def test_anything_is_parameters_or_a_bad_parameter(order: Order, query: str, kind: str, body: Any) -> None:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if _encodable(body) else b"{}"
    try:
        found = read(order, query, kind, raw)
    except BadParameter:
        return
    assert isinstance(found, Parameters)
    assert found.audio == "" or found.audio.isprintable()


def _encodable(body: dict[str, Any]) -> bool:
    return all(not isinstance(value, int) or abs(value) < 2**63 for value in body.values())
