"""What every [[systems]] table may say: read from a file, with the line of each mistake."""

from pathlib import Path
from typing import Literal

import pytest

from tocsin.app.loading import Registries, load
from tocsin.systems.settings import SystemSettings


class ScriptedSettings(SystemSettings):
    type: Literal["scripted"]


class ScriptedType:
    settings = ScriptedSettings


TYPES = Registries({}, {}, {"scripted": ScriptedType()})
ENTRY = '[[systems]]\nname = "xp-hq"\ntype = "scripted"\n'


def read(folder: Path, text: str) -> tuple[SystemSettings | None, list[str]]:
    file = folder / "tocsin.toml"
    file.write_text(text)
    loaded = load(file, TYPES)
    return loaded.settings.systems[0] if loaded.settings else None, [str(problem) for problem in loaded.problems]


def test_all_that_may_be_said_is_understood(tmp_path: Path) -> None:
    text = (
        ENTRY
        + """customer_id = "acct-4410"
customer_rules = [
  { match = { location_glob = "Tenant B/*" }, customer_id = "acct-5521" },
  { match = { attributes = { segment_id = "12" } }, customer_id = "acct-7003" },
  { match = { name_regex = "^(SPARE|TEST) " }, exclude = true },
]
inventory = { cron = "0 3 * * *", time_zone = "Europe/Tallinn", include_types = ["camera"] }
health = { mode = "poll", every = "30s", fail_threshold = 2 }
alarms = ["motion"]
"""
    )
    settings, problems = read(tmp_path, text)
    assert problems == []
    assert settings is not None
    assert settings.customer_rules[1].match.attributes == {"segment_id": "12"}
    assert settings.inventory.include_types == ["camera"]
    assert settings.health.stale_s() == 90


def test_defaults_leave_out_microphones_and_inputs(tmp_path: Path) -> None:
    settings, problems = read(tmp_path, ENTRY)
    assert problems == []
    assert settings is not None
    assert not {"audio", "io", "hardware"} & set(settings.inventory.include_types)
    assert settings.health.stale_s() == 900


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("customer_rules = [{ match = { }, customer_id = 'a' }]", "match says nothing"),
        ("customer_rules = [{ match = { kind = 'camera' } }]", "either customer_id or exclude"),
        ("customer_rules = [{ match = { kind = 'c' }, customer_id = 'a', exclude = true }]", "either customer_id or"),
        ("customer_rules = [{ match = { name_regex = '(' }, exclude = true }]", "not a regular expression"),
        ("inventory = { include_types = ['camra'] }", 'did you mean "camera"'),
        ("inventory = { every = '5s' }", "greater than or equal to 60"),
        ("health = { fail_threshold = 0 }", "fail_threshold"),
        ("customer_id = 4410", 'customer_id = "4410"'),
    ],
)
def test_each_mistake_is_named(added: str, words: str, tmp_path: Path) -> None:
    settings, problems = read(tmp_path, ENTRY + added + "\n")
    assert settings is None
    assert words in problems[0]


def test_two_systems_of_one_name_are_refused(tmp_path: Path) -> None:
    settings, problems = read(tmp_path, ENTRY + ENTRY)
    assert settings is None
    assert "is already given in line 2" in problems[0]


def test_a_name_that_cannot_be_part_of_an_id_is_refused(tmp_path: Path) -> None:
    settings, problems = read(tmp_path, ENTRY.replace("xp-hq", "XP HQ"))
    assert settings is None
    assert "name" in problems[0]
