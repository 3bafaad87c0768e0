"""Every command explains itself, and a slip of the finger is answered with what was meant."""

import json
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from tests.cli.conftest import Tocsin
from typer.main import get_command

from tocsin.cli.main import app, globals_first

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = COMMANDS[name]
    inner = getattr(command, "commands", None) or {name: command}
    for each, found in inner.items():
        assert found.help, each
        assert "Example: tocsin " in found.help, each
        assert len(found.help.splitlines()[0]) <= 64, each


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_takes_an_option_that_is_global(name: str) -> None:
    inner = getattr(COMMANDS[name], "commands", None) or {name: COMMANDS[name]}
    for each, command in inner.items():
        taken = {option for parameter in command.params for option in parameter.opts}
        assert not taken & {"-c", "--config", "--json", "--url", "--token"}, each


def test_the_help_of_the_program_lists_all(program: Tocsin) -> None:
    ended = program("--help")
    assert ended.code == 0
    for name in COMMANDS:
        assert f"  {name} " in ended.out
    assert "..." not in ended.out.partition("Commands:")[2]


def test_a_mistyped_command_is_answered_with_the_right_one(program: Tocsin) -> None:
    ended = program("chek")
    assert ended.code == 2
    assert "Did you mean 'check'" in ended.err


def test_a_mistyped_option_too(tocsin: Tocsin) -> None:
    ended = tocsin("check", "--conect")
    assert ended.code == 2
    assert "--connect" in ended.err


def test_the_version(program: Tocsin) -> None:
    assert program("--version").out.startswith("tocsin 0.")


def test_global_options_may_stand_anywhere() -> None:
    given = ["events", "--json", "-c", "x.toml", "--kind", "motion", "--url=http://gw", "--", "--json"]
    assert globals_first(given) == [
        *("--json", "-c", "x.toml", "--url=http://gw", "events", "--kind", "motion", "--", "--json")
    ]


def test_init_writes_a_file_that_checks_cleanly_and_never_replaces_one(tocsin: Tocsin, tmp_path: Path) -> None:
    ended = tocsin("init")
    assert (ended.code, ended.out) == (0, "tocsin.toml is written; next: tocsin check\n")
    file = tmp_path / "tocsin.toml"
    assert file.read_text() == files("tocsin.config").joinpath("starter.toml").read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    checked = tocsin("check")
    assert checked.code == 0, checked.out + checked.err
    assert checked.out.endswith("tocsin.toml: fine, 0 errors, 0 warnings\n")
    file.write_text("# mine\n")
    again = tocsin("init")
    assert again.code == 1
    assert "stays as it is" in again.err
    assert file.read_text() == "# mine\n"
    assert tocsin("init", "--force").code == 0
    assert "# mine" not in file.read_text()


def test_password_makes_a_hash_that_the_console_can_verify(tocsin: Tocsin) -> None:
    ended = tocsin("password", given="correct horse\n")
    assert ended.code == 0
    assert PasswordHasher().verify(ended.out.strip(), "correct horse")
    assert "correct horse" not in ended.out
    short = tocsin("password", given="short\n")
    assert (short.code, short.out) == (2, "")


def test_schema_knows_every_section_and_writes_durations_as_text(tocsin: Tocsin) -> None:
    ended = tocsin("schema")
    assert ended.code == 0
    schema = json.loads(ended.out)
    assert set(schema["properties"]) == {
        *("gateway", "api", "console", "control", "retention", "liveness"),
        *("areas", "devices", "sources", "destinations", "systems", "evidence"),
    }
    assert schema["$defs"]["RetentionSettings"]["properties"]["events"]["type"] == "string"
    assert schema["$defs"]["RetrySettings"]["properties"]["longest"]["default"] == "60s"
    types = [
        choice["allOf"][1]["properties"]["type"]["const"]
        for choice in schema["properties"]["destinations"]["items"]["oneOf"]
    ]
    assert {"dc09", "webhook"} <= set(types)


def test_destination_types_are_listed_without_a_gateway(tocsin: Tocsin) -> None:
    ended = tocsin("destinations", "--types", "--json")
    assert ended.code == 0
    listed = {each["type"]: each for each in json.loads(ended.out)}
    assert {"dc09", "webhook"} <= set(listed)
    assert all(each["title"] and each["published"] for each in listed.values())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_load_nothing_heavy(option: str, tmp_path: Path) -> None:
    look = (
        "import sys\nfrom tocsin.cli.main import main\n"
        f"try:\n    main(['{option}'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'cryptography', 'fastapi', 'aiohttp', 'asyncio', 'rich', 'PIL'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "tocsin" in ended.stdout
