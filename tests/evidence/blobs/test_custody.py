"""The custody log: whatever is done to it within the chain is seen, on paper and by command."""

import hashlib
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tocsin.cli.evidence import app
from tocsin.evidence.custody import FileFacts, NoLine, about, lines_of, read_line, verify
from tocsin.evidence.journal import next_line
from tocsin.model.evidence import CustodyLine

BEGUN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CLIP = b"what was recorded"
CIPHER = b"and how it was stored"


def log(count: int = 6) -> list[str]:
    """Granted, stored, delivered, twice."""
    line: CustodyLine | None = None
    texts = []
    for number in range(count):
        event = ("granted", "file stored", "file delivered")[number % 3]
        facts: dict[str, object] = {"event": event, "job": f"j-{number // 3}", "device": "cam: Tür\n1"}
        if number % 3:
            facts |= {"sha256": sha256(CLIP), "size": len(CLIP), "cipher_sha256": sha256(CIPHER)}
        line = next_line(line, "city", BEGUN + timedelta(seconds=number), facts)
        texts.append(line.text)
    return texts


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def faults(texts: list[str], last: str = "") -> tuple[str, ...]:
    return verify(lines_of(texts), last).faults


def test_a_log_as_it_is_written_is_unbroken() -> None:
    verdict = verify(lines_of(log()))
    assert (verdict.faults, verdict.first, verdict.last, verdict.lines) == ((), 1, 6, 6)
    assert verdict.last_sha256 == sha256(log()[-1].encode())
    assert verify(lines_of([])).lines == 0


def test_what_retention_has_removed_does_not_break_the_rest() -> None:
    verdict = verify(lines_of(log()[2:]))
    assert (verdict.faults, verdict.first) == ((), 3)


@pytest.mark.parametrize("number", range(6))
def test_a_change_in_any_line_is_seen(number: int) -> None:
    texts = log()
    noted = sha256(texts[-1].encode())
    texts[number] = texts[number].replace("cam", "cAm")
    assert faults(texts, noted)
    assert bool(faults(texts)) is (number < 5), "only the last line needs its digest noted elsewhere"


@pytest.mark.parametrize("number", range(1, 5))
def test_a_missing_line_is_seen_and_so_are_two_that_changed_places(number: int) -> None:
    texts = log()
    assert "lines are missing" in " ".join(faults(texts[:number] + texts[number + 1 :]))
    swapped = [*texts]
    swapped[number], swapped[number - 1] = swapped[number - 1], swapped[number]
    assert faults(swapped)


def test_lines_cut_off_at_the_end_are_seen_by_the_noted_digest() -> None:
    texts = log()
    assert faults(texts[:-1]) == ()
    assert "not the one that was noted" in faults(texts[:-1], sha256(texts[-1].encode()))[0]
    assert faults(texts, sha256(texts[-1].encode()).upper()) == ()


def test_a_line_put_in_with_a_chain_of_its_own_is_seen() -> None:
    texts = log()
    before = CustodyLine("city", 3, BEGUN, texts[2], sha256(texts[2].encode()))
    forged = next_line(before, "city", BEGUN, {"event": "file delivered"}).text
    assert faults([*texts[:3], forged, *texts[4:]])
    assert faults([*texts[:3], forged, *texts[3:]])


def test_the_log_of_another_agent_is_no_continuation() -> None:
    other = next_line(CustodyLine("city", 6, BEGUN, log()[-1], sha256(log()[-1].encode())), "port", BEGUN, {})
    assert "another agent" in faults([*log(), other.text])[0]


@settings(deadline=None)
@given(st.lists(st.text() | st.sampled_from(["[" * 2000, '{"number":1}', '{"number":true,"previous":""}', "\udc80"])))
def test_whatever_stands_in_a_file_is_a_line_or_said(texts: list[str]) -> None:
    for text in texts:
        try:
            assert read_line(text).number > 0
        except NoLine as why:
            assert str(why)
    verify(lines_of(texts))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_the_digests_can_be_made_by_hand(tmp_path: Path) -> None:
    """docs/how-to/check-a-delivery.md."""
    (tmp_path / "custody.jsonl").write_text("".join(f"{text}\n" for text in log()), encoding="utf-8")
    command = "sed -n 3p custody.jsonl | tr -d '\\n' | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split()[0] == json.loads(log()[3])["previous"]


def test_a_file_is_found_by_its_content_or_its_cipher_text() -> None:
    lines = [line for line in lines_of(log()) if not isinstance(line, NoLine)]
    assert [line.number for line in about(lines, FileFacts(len(CLIP), sha256(CLIP)))] == [2, 3, 5, 6]
    assert [line.number for line in about(lines, FileFacts(len(CIPHER), sha256(CIPHER)))] == [2, 3, 5, 6]
    assert about(lines, FileFacts(len(CLIP) + 1, sha256(CLIP))) == []
    assert about(lines, FileFacts(0, sha256(b""))) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "custody.jsonl").write_text("".join(f"{text}\n" for text in log()), encoding="utf-8")
    (tmp_path / "clip.mp4").write_bytes(CLIP)
    (tmp_path / "clip.blob").write_bytes(CIPHER)
    (tmp_path / "other.mp4").write_bytes(b"something else")
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [word.replace("@", f"{folder}/") for word in words])
    return done.exit_code, done.output


def test_the_command_says_that_a_file_is_as_it_was_delivered(folder: Path) -> None:
    code, said = run(folder, "verify", "@clip.mp4", "@clip.blob", "--log", "@custody.jsonl")
    assert code == 0
    assert "unbroken: lines 1 to 6" in said
    assert said.count("as it was delivered") == 2
    assert "cam: Tür 1" in said, "control characters do not reach the terminal"


def test_the_command_says_that_a_file_is_not_in_the_log(folder: Path) -> None:
    code, said = run(folder, "verify", "@other.mp4", "--log", "@custody.jsonl")
    assert (code, "not in the custody log" in said) == (1, True)


def test_the_command_says_where_a_chain_is_broken(folder: Path) -> None:
    texts = log()
    (folder / "cut.jsonl").write_text("\n".join([texts[0], "no line", texts[3]]), encoding="utf-8")
    code, said = run(folder, "verify", "--log", "@cut.jsonl")
    assert code == 1
    assert "line 2 of the file cannot be read" in said
    assert "line 4 follows line 1" in said


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("verify", "--log", "@custody.jsonl", "--agent", "city"),
        ("verify", "--log", "@none.jsonl"),
        ("verify", "@none.mp4", "--log", "@custody.jsonl"),
    ],
)
def test_wrong_use_is_said(folder: Path, words: tuple[str, ...]) -> None:
    assert run(folder, *words)[0] == 2


def test_an_empty_log_proves_nothing(folder: Path) -> None:
    (folder / "empty.jsonl").write_text("")
    assert run(folder, "verify", "--log", "@empty.jsonl") == (1, "the custody log is empty\n")


def test_a_log_exported_with_other_line_ends_is_the_same_log(folder: Path) -> None:
    log_file = folder / "custody.jsonl"
    log_file.write_bytes(log_file.read_bytes().replace(b"\n", b"\r\n"))
    assert run(folder, "verify", "--log", "@custody.jsonl")[0] == 0
