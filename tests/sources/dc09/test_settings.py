"""What a receiver's configuration may say, and the sentences for what it may not."""

import random
from typing import Any

import pytest
from pydantic import ValidationError

from tocsin.engine.clock import LoopClock
from tocsin.sources.dc09.settings import Dc09SourceSettings
from tocsin.sources.dc09.source import build
from tocsin.sources.registry import SOURCE_TYPES
from tocsin.sources.surroundings import SourceSurroundings

LEAST = {"name": "panels", "type": "dc09", "listen": "127.0.0.1:7001"}


def test_the_least_there_must_be() -> None:
    settings = Dc09SourceSettings.model_validate(LEAST)
    assert (settings.unknown_accounts, settings.acknowledge, settings.accounts) == ("refuse", "stored", [])


def test_the_registry_knows_it() -> None:
    assert SOURCE_TYPES["dc09"].settings is Dc09SourceSettings


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"acknowledge": "later"}, "'stored' or 'delivered'"),
        ({"acknowledge": "delivered", "delivered_within": "2m"}, "less than or equal to 60"),
        (
            {"acknowledge": "delivered", "accounts": [{"account": "6F01", "repeat_window": "10s"}]},
            "a repeat_window of at least 60s",
        ),
        ({"listen": "7001"}, "host:port"),
        ({"accounts": [{"account": 9280}]}, "valid string"),
        ({"accounts": [{"account": "92-80"}]}, "pattern"),
        ({"accounts": [{"account": "6f01"}, {"account": "6F01"}]}, "given twice: 6F01"),
        ({"accounts": [{"account": "6F01", "repeat_window": "1h"}]}, "less than or equal to 900"),
        ({"accounts": [{"account": "6F01", "time_zone": "Mars"}]}, "not the name of a time zone"),
        ({"accounts": [{"account": "6F01", "supervision": "SP7"}]}, "SP2, SP3"),
        ({"accounts": [{"account": "6F01", "colour": "red"}]}, "Extra inputs"),
        ({"accounts": [{"account": "6F01", "path": "first"}]}, 'path needs supervision, such as "DP4"'),
        ({"accounts": [{"account": "6F01", "path": "second", "supervision": "90s"}]}, "a category for two paths"),
        (
            {"accounts": [{"account": "6F01", "path": "first", "supervision": "DP4"}]},
            'one path = "first" and one "second": 6F01',
        ),
        ({"unknown_accounts": "maybe"}, "'refuse' or 'accept'"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Dc09SourceSettings.model_validate(LEAST | changes)
    assert expected in str(caught.value)


def test_one_number_under_two_receivers_is_two_accounts() -> None:
    accounts = [{"account": "6F01", "receiver": "1"}, {"account": "6F01", "receiver": "2"}, {"account": "6F01"}]
    settings = Dc09SourceSettings.model_validate(LEAST | {"accounts": accounts})
    assert [account.subject for account in settings.accounts] == ["R1#6F01", "R2#6F01", "6F01"]


def test_a_panel_with_two_paths() -> None:
    accounts = [
        {"account": "6F01", "receiver": "1", "path": "first", "supervision": "DP4"},
        {"account": "6F01", "receiver": "2", "path": "second", "supervision": "DP4"},
    ]
    settings = Dc09SourceSettings.model_validate(LEAST | {"accounts": accounts})
    around = SourceSurroundings(LoopClock(), random.Random(1), print, lambda source, subject: None)
    first, second = build(settings, around).supervised()
    assert (first.subject, first.interval_s, first.first) == ("R1#6F01", 90.0, "")
    assert (second.subject, second.interval_s, second.first, second.alone_s) == ("R2#6F01", 300.0, "R1#6F01", 90.0)
