"""Settings that do not fit together are refused with what to do."""

from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.destinations.surgard.settings import SurgardSettings

HOST = {"hosts": ["192.0.2.5:1025"]}
PAIR = {"cert": "gw.pem", "key": "gw.key"}


def made(**table: Any) -> SurgardSettings:
    return SurgardSettings.model_validate({"name": "arc", "type": "surgard"} | table)


@pytest.mark.parametrize(
    ("table", "because"),
    [
        ({}, 'mode = "connect" needs hosts'),
        (HOST | {"listen": "0.0.0.0:1025"}, "and no listen"),
        ({"hosts": ["192.0.2.5"]}, "host:port"),
        (HOST | {"allowed": ["192.0.2.5"]}, 'allowed is for mode = "listen"'),
        (HOST | {"tls": {"client_ca": "ca.pem"}}, "ca_file"),
        (HOST | {"tls": {"cert": "gw.pem"}}, "belong together"),
        ({"mode": "listen"}, "needs listen"),
        ({"mode": "listen", "listen": "0.0.0.0:1025"}, "say who may connect"),
        ({"mode": "listen", "listen": "0.0.0.0:1025", "tls": PAIR}, "say who may connect"),
        ({"mode": "listen", "listen": "0.0.0.0:1025", "allowed": ["everybody"]}, "192.0.2.0/24"),
        ({"mode": "listen", "listen": "127.0.0.1:1025", "tls": {"client_ca": "ca.pem"}}, "cert and key"),
        ({"mode": "listen", "listen": "127.0.0.1:1025", "tls": PAIR | {"insecure": True}}, "for connecting"),
        (HOST | {"heartbeat": "100s"}, "99s"),
        (HOST | {"heartbeat": 30}, "duration"),
        (HOST | {"line": "12"}, "room for 1 character"),
        (HOST | {"account": "12345"}, "4 characters"),
        (HOST | {"account": "12A4"}, "4 characters of 0 to 9 and B to F"),
        (HOST | {"accounts": {"0042": "00042"}}, "4 characters"),
        (HOST | {"codes": {"tamper": "TA"}}, "no code of this format"),
        ({"hosts": ["192.0.2.5:1025"] * 8}, "too long for one round"),
        (HOST | {"account": 9280}, "string"),
    ],
)
def test_refused(table: dict[str, Any], because: str) -> None:
    with pytest.raises(ValidationError, match=because):
        made(**table)


@pytest.mark.parametrize(
    "table",
    [
        HOST,
        HOST | {"tls": PAIR | {"ca_file": "arc.pem", "pin": "ab" * 32}},
        {"mode": "listen", "listen": "127.0.0.1:0"},
        {"mode": "listen", "listen": "0.0.0.0:1025", "allowed": ["192.0.2.0/24", "2001:db8::1"]},
        {"mode": "listen", "listen": "0.0.0.0:1025", "tls": PAIR | {"client_ca": "ca.pem"}},
        HOST | {"heartbeat": "off", "line": "01", "line_digits": 1},
        HOST | {"line": "012", "line_digits": 3},
        HOST | {"account": "12345", "account_width": 5, "accounts": {"A1": "bcdef"}},
        HOST | {"format": "sia2", "account": "1A2345", "accounts": {"0042": "ZZZZZZ"}},
        HOST | {"format": "sia2", "codes": {"tamper": "TA"}},
    ],
)
def test_taken(table: dict[str, Any]) -> None:
    assert made(**table).name == "arc"
