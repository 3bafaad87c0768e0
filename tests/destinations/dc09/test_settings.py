"""What the configuration may say, and the sentences for what it may not."""

from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.transports.contract import Endpoint

LEAST = {"name": "arc", "type": "dc09", "hosts": ["192.0.2.5:4001", "arc.example.net:4001", "[2001:db8::1]:4001"]}


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Dc09Settings.model_validate(LEAST | changes)
    return str(caught.value)


def test_the_least_there_must_be() -> None:
    settings = Dc09Settings.model_validate(LEAST)
    assert settings.endpoints() == [
        Endpoint("192.0.2.5", 4001),
        Endpoint("arc.example.net", 4001),
        Endpoint("2001:db8::1", 4001),
    ]
    assert (settings.format, settings.transport, settings.connections, settings.attempts) == ("SIA-DCS", "tcp", 4, 1)
    assert (settings.reply_timeout, settings.connect_timeout, settings.supervision) == (20.0, 5.0, 60.0)
    assert settings.default_address() is None
    assert not settings.wants_photos()


def test_the_registry_knows_it() -> None:
    assert DESTINATION_TYPES["dc09"].settings is Dc09Settings


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90.0), ("SP5", 85.0), ("DP4", 85.0), ("SP2", 89_995.0), ("off", None)]
)
def test_supervision(written: str, seconds: float | None) -> None:
    assert Dc09Settings.model_validate(LEAST | {"supervision": written}).supervision == seconds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ({"supervision": "DP4"}, 295.0),
        ({"supervision": "DP1"}, 179_995.0),
        ({"supervision": "DP4", "second_path": "2m"}, 120.0),
        ({"supervision": "60s", "second_path": "DP3"}, 89_995.0),
        ({"supervision": "SP5"}, None),
    ],
)
def test_the_second_path(written: dict[str, str], seconds: float | None) -> None:
    assert Dc09Settings.model_validate(LEAST | written).second_path == seconds


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"second_path": "SP5"}, "SP5 is for a single path; for two paths there are DP1, DP2, DP3, DP4"),
        ({"second_path": "5s"}, 'between "10s" and "50h"'),
        ({"hosts": []}, "at least 1 item"),
        ({"hosts": ["arc.example.net"]}, "host:port"),
        ({"account": 9280}, "valid string"),
        ({"account": "12"}, "pattern"),
        ({"supervision": "1s"}, "between"),
        ({"supervision": "SP9"}, "SP2, SP3"),
        ({"photos": {"by": "ftp"}}, "needs hosts, user and password"),
        ({"photos": {"hosts": ["ftp.example.net"]}}, "only wait can be set"),
        ({"photos": {"by": "ftp", "hosts": ["h"], "user": "u", "password": "p", "as": "link"}}, "leave by out"),
        ({"photos": {"by": "ftp", "hosts": ["h"], "user": "u", "password": "p", "path": "../x"}}, "expected folders"),
        ({"transport": "udp", "tls": {}}, 'tls needs transport = "tcp"'),
        ({"codes": {"nonsense": "BA"}}, "neither an event kind"),
        ({"codes": {"tamper": "137"}}, "no code of this format"),
        ({"key": "0123456789ABCDEF"}, "a key says how it is written"),
        ({"reply_timeout": "1s"}, "greater than or equal to 5"),
        ({"speed": 9}, "Extra inputs"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in refusal(**changes)


def test_a_key_is_not_shown() -> None:
    settings = Dc09Settings.model_validate(LEAST | {"key": {"text": "0123456789ABCDEF"}})
    assert "0123456789ABCDEF" not in repr(settings) + settings.model_dump_json()


def test_photos_wait() -> None:
    assert Dc09Settings.model_validate(LEAST | {"photos": {"wait": "3s"}}).hold_s() == 3.0
    assert Dc09Settings.model_validate(LEAST).hold_s() == 10.0
