"""Any wire profile can be used with any answer, or is refused with a sentence."""

from datetime import UTC, datetime
from random import Random

from tocsin.evidence.registry.profile import ProfileInvalid, assumed_text, read_profile
from tocsin.evidence.registry.wire import (
    Unreadable,
    read_jobs,
    read_lock,
    read_place,
    service_addresses,
    written_body,
    written_path,
)

LEAST = 100
WORDS = {"name": "n", "start": datetime(2026, 3, 4, tzinfo=UTC), "progress": 1, "state": "Failed", "message": "m"}
ANSWERS = (
    b'[{"id":"1","type":"mediarequest","deviceId":"c","startTimeUtc":"2026-03-04T08:00:00Z","a":{"b":{"c":"d"}}}]',
    b'{"jobs":{"items":[{"jobId":7}]},"lockExpiration":"2026-03-04T08:00:00Z","fileId":"f","uri":"u","jsonWebKey":{}}',
)
_LINES = assumed_text().splitlines()
SEEDS = (
    b"\0" + _LINES[-1].encode(),
    b'\x0bbase = "https://registry.example.net/v2/{tenant}"',
    b'\x0bbase = "https://["',
    b'\x30"jobs" = ["a.b", ".", ""]',
    b"\x50back_s = 99999999999999999999",
    b'\x40mediarequest = ["\\u00e4"]',
)


def one(data: bytes) -> None:
    """One line of the assumed profile, or some, replaced by what came."""
    text = data[1:].decode("utf-8", "replace")
    at = Random(data[0]).randrange(len(_LINES)) if data else 0
    same = [n for n, line in enumerate(_LINES) if line.split("=")[0].strip() == text.split("=")[0].strip() != ""]
    lines = list(_LINES)
    lines[same[0] if same else at] = text
    try:
        profile = read_profile("\n".join(lines))
    except ProfileInvalid as error:
        assert str(error)
        return
    assert all(service_addresses(profile, ("https://api.example.net",)))
    for call in profile.ops.values():
        assert written_path(profile, call, "t/1", "p?", "j/1", "f#1").startswith("/")
        written_body(call, WORDS)
        written_body(call, WORDS, minimal=True)
    for answer in ANSWERS:
        for read in (read_jobs, read_lock, read_place):
            try:
                read(profile, answer)
            except Unreadable as error:
                assert str(error).isprintable()
