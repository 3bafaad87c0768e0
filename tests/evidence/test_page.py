"""The page names every option."""

import re
from pathlib import Path

import tocsin.evidence
from tocsin.evidence.settings import EvidenceSettings

PAGE = Path(tocsin.evidence.__file__).with_name("page.md").read_text(encoding="utf-8")


def test_every_option_stands_on_the_page():
    named = set(re.findall(r"^\| `([a-z_]+)", PAGE, re.MULTILINE))
    assert {name for name in EvidenceSettings.model_fields if name not in named} == {"type", "on_start_error"}
