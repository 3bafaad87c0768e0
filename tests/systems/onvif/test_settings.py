"""What a technician may write, and what the program says of the rest."""

from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.systems.onvif.settings import OnvifSettings, service_url


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("192.0.2.11", "http://192.0.2.11/onvif/device_service"),
        ("192.0.2.11:8080", "http://192.0.2.11:8080/onvif/device_service"),
        ("camera.example.net", "http://camera.example.net/onvif/device_service"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/onvif/device_service"),
        ("https://192.0.2.11", "https://192.0.2.11/onvif/device_service"),
        ("https://nvr.example.net:444/dev", "https://nvr.example.net:444/dev"),
    ],
)
def test_addresses(written: str, url: str) -> None:
    assert str(service_url(written)) == url


@pytest.mark.parametrize("written", ["", "ftp://192.0.2.11", "http://u:p@192.0.2.11", "rtsp://192.0.2.1", "a b", "1:x"])
def test_what_is_no_address(written: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        service_url(written)


def settings(**changes: Any) -> OnvifSettings:
    table = {"name": "cams", "type": "onvif", "devices": [{"address": "192.0.2.11"}]}
    return OnvifSettings.model_validate(table | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"devices": []}, "at least 1"),
        ({"devices": [{"address": "192.0.2.1"}, {"address": "http://192.0.2.1:80/"}]}, "devices have the same address"),
        ({"devices": [{"address": "192.0.2.1", "key": "a"}, {"address": "192.0.2.2", "key": "a"}]}, "the same key: a"),
        ({"alarms": ["burglary"]}, "ONVIF devices do not tell burglary; motion, tamper, alarm, video_loss"),
        ({"canary": "192.0.2.1"}, "expected HOST:PORT"),
        ({"health": {"mode": "events"}}, "'poll' or 'off'"),
        ({"passwort": "x"}, "Extra inputs"),
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**changes)


def test_a_device_may_have_its_own_login() -> None:
    given = settings(
        username="all",
        password="sesame",
        devices=[{"address": "192.0.2.1"}, {"address": "192.0.2.2", "username": "own"}],
    )
    logins = [given.login(device) for device in given.devices]
    assert [(user, secret.reveal()) for user, secret in logins] == [("all", "sesame"), ("own", "sesame")]
    assert "sesame" not in repr(given)
