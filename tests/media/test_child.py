import sys
from pathlib import Path

import pytest

from tocsin.media.child import NotMade, made

SECONDS = 5.0


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", b"cba"),
        ("import sys; sys.stdout.buffer.write(bytes(5_000_000))", NotMade("what came of it has more than 1000 bytes")),
        ("while True: print('x' * 100)", NotMade("what came of it has more than 1000 bytes")),
        ("import sys; sys.stderr.write('a\\nb' * 50_000); sys.exit(3)", NotMade(("a b" * 134)[:400])),
        ("import sys; sys.exit(3)", NotMade("")),
        ("", NotMade("the process that works on pictures failed on it (exit code 0)")),
        ("import os; os.abort()", NotMade("the process that works on pictures failed on it (exit code -6)")),
        ("import os; print(os.environ.get('HOME')); import sys; sys.exit(5)",
         NotMade("the process that works on pictures failed on it (exit code 5)")),
        ("import os; print(sorted(os.environ))", b"['LC_CTYPE']\n"),
    ],
)  # fmt: skip
async def test_what_a_child_may_do(
    program: str, expected: bytes | NotMade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program stands in place of Python itself, so that it gets neither our modules nor their limits."""
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{program}\n")
    python.chmod(0o755)
    monkeypatch.setattr("tocsin.media.child.sys.executable", str(python))
    monkeypatch.setenv("TOCSIN_TOKEN", "secret")
    assert await made("tocsin.media.none", (), b"abc", 1000, 100_000_000, SECONDS) == expected


async def test_a_child_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.media.child.sys.executable", str(tmp_path / "none"))
    assert await made("tocsin.media.none", (), b"abc", 1000, 100_000_000, SECONDS) == NotMade(
        "the process that works on pictures cannot be started: No such file or directory"
    )


async def test_a_child_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nimport sys\nwhile True: print('x' * 50, file=sys.stderr)\n")
    python.chmod(0o755)
    monkeypatch.setattr("tocsin.media.child.sys.executable", str(python))
    result = await made("tocsin.media.none", (), bytes(10_000_000), 1000, 100_000_000, 0.3)
    assert result == NotMade("working on it took longer than 0.3 s")
