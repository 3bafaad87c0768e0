"""Readers of foreign bytes keep their promise for any input (DESIGN.md 10.5)."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from harness.fuzz import TARGETS, fuzz

needs_atheris = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed (Python 3.11 only)")


@pytest.mark.parametrize("target", TARGETS)
def test_the_starting_inputs_keep_the_promise(target: str) -> None:
    module = importlib.import_module(f"harness.targets.{target}")
    for seed in module.SEEDS:
        for length in range(len(seed) + 1):
            module.one(seed[:length])


@needs_atheris
@pytest.mark.parametrize("target", TARGETS)
def test_three_seconds_of_fuzzing(target: str, tmp_path: Path) -> None:
    assert executions(fuzz(target, tmp_path, 3, seed=1)) > setting(target, "LEAST", 1000)


@needs_atheris
@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", TARGETS)
def test_minutes_of_fuzzing(target: str, tmp_path: Path) -> None:
    seconds = setting(target, "SECONDS", 180)
    print(f"{target}: {executions(fuzz(target, tmp_path, seconds))} inputs in {seconds} s")


def setting(target: str, name: str, usual: int) -> int:
    return int(getattr(importlib.import_module(f"harness.targets.{target}"), name, usual))


def executions(printed: str) -> int:
    found = re.search(r"stat::number_of_executed_units: (\d+)", printed)
    assert found, printed[-2000:]
    return int(found[1])
