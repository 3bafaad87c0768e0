"""What of a configuration may be shown, and what may leave the house."""

import pytest

from tocsin.config.masking import masked, shown
from tocsin.config.positions import KeyPath

SHOWN: list[tuple[object, KeyPath, str]] = [
    ("hunter22", ("api", "tokens", 0, "token"), "***"),
    ("hunter22", ("api", "tokens", 0), "***"),
    ("detectors", ("api", "tokens", 0, "name"), '"detectors"'),
    (["read"], ("api", "tokens", 0, "scopes"), '["read"]'),
    ({"env": "ARC_KEY"}, ("destinations", 0, "key"), '{ env = "ARC_KEY" }'),
    ({"hex": {"env": "ARC_KEY"}}, ("destinations", 0, "key"), '{ hex = { env = "ARC_KEY" } }'),
    ({"hex": "00112233"}, ("destinations", 0, "key"), "{ hex = *** }"),
    ("gw.key", ("api", "tls", "key"), '"gw.key"'),
    ("Bearer hunter22", ("destinations", 0, "headers", "X-Station"), "***"),
    ("https://eva:hunter22@arc.example.net/", ("destinations", 0, "url"), '"https://***@arc.example.net/"'),
    ("postgresql://u:hunter22@db/t", ("gateway", "database"), "***"),
    (9280, ("destinations", 0, "account"), "9280"),
    (True, ("destinations", 0, "keep"), "true"),
    ("x" * 200, ("areas", 0, "name"), '"' + "x" * 98 + "…"),
]


@pytest.mark.parametrize(("value", "path", "text"), SHOWN, ids=str)
def test_a_value_is_shown_or_masked_by_its_place(value: object, path: KeyPath, text: str) -> None:
    assert shown(value, path) == text


def test_a_whole_configuration_keeps_its_form_without_its_secrets() -> None:
    given = {
        "gateway": {"name": "north", "database": "postgresql://u:hunter22@db/t"},
        "api": {"tokens": [{"name": "d", "token": "hunter22", "scopes": ["read"]}], "tls": {"key": "gw.key"}},
        "destinations": [{"url": "https://eva:hunter22@h/", "key": {"hex": {"env": "K"}}, "connections": 4}],
    }
    assert masked(given) == {
        "gateway": {"name": "north", "database": "***"},
        "api": {"tokens": [{"name": "d", "token": "***", "scopes": ["read"]}], "tls": {"key": "gw.key"}},
        "destinations": [{"url": "https://***@h/", "key": {"hex": {"env": "K"}}, "connections": 4}],
    }
