"""Rules of the house that no other tool holds: sizes, words, documents that tell the truth."""

import ast
import importlib.util
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import typer

from tocsin.api.access import Access
from tocsin.api.app import create_app
from tocsin.cli.main import app, globals_first
from tocsin.model.delivery import DeliveryState
from tocsin.model.kinds import KINDS, Lane, lane_of

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def _functions(path: Path) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        ((node.end_lineno or 0) - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_files_and_functions_stay_small(capsys: pytest.CaptureFixture[str]) -> None:
    lengths = [(len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(ROOT))) for path in SOURCES]
    functions = [one for path in SOURCES for one in _functions(path)]
    with capsys.disabled():
        print(f"\nlongest file {max(lengths)}, longest function {max(functions)}")
    assert [one for one in lengths if one[0] > LONGEST_FILE] == []
    assert [one for one in functions if one[0] > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("word", ["manager", "helper", "util", "utils", "base", "misc", "common"])
def test_no_room_or_file_has_a_name_that_says_nothing(word: str) -> None:
    assert [str(path) for path in SOURCES if path.stem == word or path.parent.name == word] == []


def test_nothing_is_left_open() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if marks.search(line)
    ]
    assert found == []


def test_the_reference_is_what_the_program_says() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for name, text in generate.pages().items():
        written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert written == text, f"docs/reference/{name} is out of date: run python docs/generate.py"


def test_links_in_documents_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_station_type_has_its_page() -> None:
    folders = [path.parent for path in (ROOT / "src/tocsin/destinations").glob("*/settings.py")]
    assert folders
    assert [str(folder) for folder in folders if not (folder / "page.md").exists()] == []


def test_shell_scripts_and_unit_files_are_well_formed() -> None:
    assert subprocess.run(["sh", "-n", str(ROOT / ".ci" / "run")], check=False).returncode == 0
    unit = (ROOT / "deploy" / "tocsin.service").read_text(encoding="utf-8")
    assert "Type=notify" in unit
    assert unit.count("check") >= 2, "validated before start and before reload"


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")])


def _command_lines() -> list[tuple[str, str, bool]]:
    """Place, line, and whether it stands there to be typed as it is: in a block, not within a sentence."""
    found = []
    for page in PAGES:
        text, place = page.read_text(encoding="utf-8"), str(page.relative_to(ROOT))
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            found += [(place, line, True) for line in re.findall(r"^(?:\$ )?(tocsin .*)$", block, re.MULTILINE)]
        prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [(place, " ".join(line.split()), False) for line in re.findall(r"`(tocsin\s[^`]+)`", prose)]
    return found


@pytest.mark.parametrize(("place", "line", "whole"), _command_lines())
def test_command_lines_in_documents_are_understood(place: str, line: str, whole: bool) -> None:
    words = shlex.split(re.split(r" [|>;&]", line)[0].replace("…", ""))
    arguments = globals_first(words[1:])
    root = typer.main.get_command(app)
    context = root.make_context("tocsin", list(arguments), resilient_parsing=True)
    command: Any = root
    rest = [*context._protected_args, *context.args]
    while hasattr(command, "commands") and rest:
        assert rest[0] in command.commands, f"{place}: {line}"
        command = command.commands[rest.pop(0)]
    known = {option for parameter in (*command.params, *root.params) for option in parameter.opts} | {"--help", "-h"}
    assert [word for word in words if re.match("--?[a-z]", word) and word.partition("=")[0] not in known] == []
    if whole:
        command.make_context(command.name, rest)


def test_every_route_stands_on_the_page_about_rest() -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    paths = create_app(SimpleNamespace(clock=clock), Access(), None, None).openapi()["paths"]  # type: ignore[arg-type]
    routes = {f"### `{method.upper()} {path}`" for path, methods in paths.items() for method in methods}
    page = (ROOT / "docs/reference/rest.md").read_text(encoding="utf-8")
    assert routes == {line for line in page.splitlines() if line.startswith("### `")}


def test_every_kind_and_state_stands_on_the_page_about_events() -> None:
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (alarm|status|routine) \| `(.*)` \|$", page, re.MULTILINE))
    assert {lane: set(kinds.split()) for lane, kinds in rows.items()} == {
        lane.label: {kind for kind in KINDS if lane_of(kind) is lane} for lane in Lane
    }
    assert [state for state in get_args(DeliveryState) if f"| `{state}` |" not in page] == []
