"""What may be written in [[evidence]], and what is said of mistakes."""

import json
from datetime import UTC, datetime

import pytest

from tocsin.app.loading import load
from tocsin.standins.clearance.keys import Integration

INTEGRATION = Integration("t", "p")
LINES = '[[evidence]]\nname = "city"\ntype = "clearance"\nconnection_file = "clearance.json"\n'


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "clearance.json"
    file.write_text(
        json.dumps(INTEGRATION.connection_file(["https://s.example.net/connect"], ["https://a.example.net"]))
    )
    file.chmod(0o600)

    def write(more="", lines=LINES):
        (tmp_path / "tocsin.toml").write_text(lines + more)
        return load(tmp_path / "tocsin.toml")

    return write


def test_nothing_is_shared_until_chosen(written):
    (entry,) = written().settings.evidence
    assert (entry.shared_areas, entry.poll_interval, entry.workers, entry.dry_run) == ([], 15.0, 2, False)
    assert entry.rules().release_on_stop is False


def test_everything_that_can_be_said(written):
    loaded = written(
        """shared_areas = ["North"]
poll_interval = "30s"
upload = { mbit = 20.0, time_zone = "Europe/Tallinn", hours = [
  { days = "Mon-Fri", start = "08:00", end = "18:00", mbit = 2.0 }
] }
proxy = { url = "http://proxy.example.net:3128", username = "u", password = "p" }
spool = { size_gb = 10.0, keep = "2h" }
archives = { folders = [{ name = "nvr", folder = "/archive" }], rtsp = [
  { name = "r", urls = { cam = "rtsp://h/{start:%s}" } }
] }
on_stop = "release"
[[areas]]
name = "North"
"""
    )
    assert loaded.problems == ()
    (entry,) = loaded.settings.evidence
    pace = entry.upload.pace()
    assert pace.bytes_per_s(datetime(2026, 3, 4, 7, tzinfo=UTC)) == 250_000
    assert pace.bytes_per_s(datetime(2026, 3, 7, 7, tzinfo=UTC)) == 2_500_000
    assert entry.spool.limit == 10_000_000_000
    assert repr(entry.proxy.proxy()) == "Proxy(proxy.example.net:3128)"
    assert entry.rules().release_on_stop is True


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('poll_interval = "1s"\n', "poll_interval"),
        ('profile_file = "none.toml"\n', "none.toml cannot be read: No such file"),
        ('upload = { hours = [{ days = "Mo", start = "08:00", end = "18:00", mbit = 1.0 }] }\n', "'Mo' is no day"),
        ('upload = { hours = [{ days = "Mon", start = "8", end = "25:00", mbit = 1.0 }] }\n', "no time of day"),
        ('proxy = { url = "https://proxy.example.net" }\n', "a forward proxy is written http://"),
        ('archives = { folders = [{ name = "n", folder = "/a", names = "{device}.mp4" }] }\n', "the names need"),
        ('shared_areas = ["North"]\n', 'the area "North" is not among [[areas]]'),
        ("allow_plaintext = true\n", "allow_plaintext"),
    ],
)
def test_mistakes(written, more, said):
    found = written(more).problems
    assert any(said in str(problem) for problem in found), found


def test_a_connection_file_that_others_may_read_is_refused(written, tmp_path):
    (tmp_path / "clearance.json").chmod(0o644)
    (problem,) = written().problems
    assert "chmod 600" in str(problem)
    assert written("allow_world_readable = true\n").settings is not None


def test_a_file_that_is_not_there_is_said_once_with_its_line(written, tmp_path):
    (tmp_path / "clearance.json").unlink()
    (problem,) = written().problems
    assert problem.line == 4
    assert "cannot be read: No such file" in str(problem)


def test_two_of_one_name(written):
    assert any("is already given" in str(problem) for problem in written(lines=LINES + LINES).problems)
