"""What goes into the source's folder: names, texts, order; and that no value can leave it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.destinations.ebus.addressing import Place, address_of, read_printed
from tocsin.destinations.ebus.format import WORDING, file_set, unique_mark
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.files import File
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Event
from tocsin.model.event import Place as Site
from tocsin.model.kinds import Kind

AT = datetime(2026, 3, 4, 5, 6, 7, 500_000, tzinfo=UTC)
GATE = Event(
    "01J8ZQ5C7Q0000000000000001", "motion", AT, AT, "detectors", zone="+01:00", device_id="01E211D51A00006B",
    place=Site("Tor Nord", area="Depot Süd"), actors=(Actor("person", 0.93),), battery=87,
    url="https://portal.example.net/e/01J8ZQ5C7Q",
)  # fmt: skip
PICTURES = (File("x.jpg", "image/jpeg", b"one"), File("y.jpg", "image/jpeg", b"two"))
CAMERA = Place("12345", "3")
MARK = unique_mark(GATE)


def made(
    event: Event = GATE, files: tuple[File, ...] = PICTURES, place: Place = CAMERA, **changes: Any
) -> dict[str, bytes]:
    table = {"name": "e", "hosts": ["ftp.example.net"], "user": "u", "password": "p", **changes}
    return {file.name: file.data for file in file_set(EbusSettings.model_validate(table), event, place, 1, files)}


def test_the_set_as_it_goes_up_the_text_last() -> None:
    files = made()
    stem = f"12345/20260304_050607500_{MARK}"
    assert list(files) == [f"{stem}_01.jpg", f"{stem}_02.jpg", f"{stem}_00_ALARM.txt"]
    assert files[f"{stem}_00_ALARM.txt"] == (
        b"Alarm: Person\r\nText: Person erkannt, Tor Nord\r\nObjekt: 12345\r\nKamera: 3\r\n"
        b"Zeit: 2026-03-04 06:06:07\r\nBatterie: 87\r\nURL: https://portal.example.net/e/01J8ZQ5C7Q\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"layout": "camera-dir"}, [f"12345/3/2026-03-04_06-06-07{end}" for end in ("_1.jpg", "_2.jpg", ".txt")]),
        ({"path": "/in/", "text": "none", "picture_name": "{{ unique }}_{{ phase }}{{ n }}", "pre_alarm_count": 1},
         [f"/in/12345/{MARK}_pre1.jpg", f"/in/12345/{MARK}_alarm2.jpg"]),
        ({"path": "a/b", "text": "first", "picture_name": "{{ unique }}{{ n }}", "text_name": "{{ unique }}"},
         [f"a/b/12345/{MARK}.txt", f"a/b/12345/{MARK}1.jpg", f"a/b/12345/{MARK}2.jpg"]),
    ],
)  # fmt: skip
def test_layouts_and_own_names(changes: dict[str, Any], names: list[str]) -> None:
    assert list(made(**changes)) == names


@pytest.mark.parametrize(
    ("changes", "settings", "line"),
    [
        ({"kind": "routine_check", "actors": ()}, {}, "Alarm: Routineruf"),
        ({"kind": "tamper"}, {}, "Alarm: Sabotage"),
        ({"kind": "tamper", "state": "restore"}, {}, "Alarm: Sabotage beendet"),
        ({"kind": "tamper"}, {"codes": {"tamper": "Deckel"}}, "Alarm: Deckel"),
        ({}, {"codes": {"motion.person": "Mensch"}}, "Alarm: Mensch"),
        ({"kind": "door_forced"}, {}, "Alarm: Tuer aufgebrochen"),
        ({"kind": "door_forced"}, {"ascii_only": False}, "Alarm: Tür aufgebrochen"),
        ({"flags": ("test",)}, {}, "Test: ja"),
        ({}, {"pre_alarm_count": 1}, "Voralarmbilder: 1"),
        ({"text": "a\r\nAlarm: Feuer"}, {}, "Text: Person erkannt, Tor Nord, a  Alarm: Feuer"),
        ({"text": "Straße, Łódź, 東"}, {}, "Text: Person erkannt, Tor Nord, Strasse, Lodz, ?"),
    ],
)
def test_lines_of_the_text(changes: dict[str, Any], settings: dict[str, Any], line: str) -> None:
    *_, text = made(replace(GATE, **changes), **settings).values()
    assert line in text.decode().split("\r\n")


def test_every_kind_has_its_words_and_an_event_without_pictures_its_text() -> None:
    for kind in get_args(Kind):
        assert kind in WORDING
        [(name, text)] = made(replace(GATE, kind=kind), (), text="none").items()
        assert name.endswith(".txt")
        assert text.startswith(b"Alarm: ")
        assert text.isascii()


def test_another_text_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("{{ code }};{{ pictures }};{{ lane }}\n")
    *_, text = made(text_file=str(tmp_path / "own.txt")).values()
    assert text == b"Person;2;ALARM\r\n"


def test_pictures_whose_names_are_cut_stay_apart() -> None:
    names = list(made(replace(GATE, text="gate " * 60), picture_name="{{ text }}{{ unique }}{{ n }}"))
    assert len(names) == len(PICTURES) + 1


LINES = [b"Alarm", b"Text", b"Objekt", b"Zeit", b"Batterie", b"URL", b""]
NASTY = st.text(max_size=60) | st.sampled_from(["../../etc", "a/b", "..", "/", "a\x00b", "con.txt\r\nDELE x", "Ö/ö"])


@given(NASTY, NASTY, NASTY, NASTY)
def test_no_value_leaves_the_folder_or_breaks_a_line(device: str, name: str, text: str, area: str) -> None:
    event = replace(GATE, device_id=device, text=text, place=Site(name, area=area), source=text)
    own = {
        "picture_name": "{{ device }}/{{ site }}{{ text }}{{ unique }}{{ n }}",
        "text_name": "{{ device_id }}{{ unique }}",
    }
    for changes in ({}, {"layout": "camera-dir"}, own):
        files = made(event, place=Place("12345"), **changes)
        assert len(files) == 3
        for path, data in files.items():
            parts = path.split("/")
            assert parts[0] == "12345"
            assert all(re.fullmatch(r"(?!\.)[A-Za-z0-9._-]{1,160}", part) for part in parts)
            if path.endswith(".txt"):
                assert data.isascii()
                keys = [line.partition(b":")[0] for line in data.split(b"\r\n")]
                assert [key for key in keys if key != b"Kamera"] == LINES
                assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f]", data)


def test_events_of_one_moment_have_names_of_their_own_and_repeats_the_same() -> None:
    others = [replace(GATE, id="2"), replace(GATE, device_id="other"), replace(GATE, source="other")]
    names = [name for event in (GATE, *others) for name in made(event)]
    assert len(set(names)) == len(names)
    assert list(made()) == list(made(replace(GATE, battery=1)))


@pytest.mark.parametrize(
    ("event", "device", "expected"),
    [
        (GATE, Device("d", description="Nord, ebus:tor_1"), "tor_1"),
        (GATE, Device("d", description="EBUS:a/b"), "gateway"),
        (GATE, Device("d", addresses={"e": Address("hof", zone="7")}), "hof:7"),
        (GATE, Device("d", addresses={"e": Address("../x")}), "is no folder"),
        (replace(GATE, address=Address("4711", zone="017")), None, "halle:017"),
        (replace(GATE, address=Address("9999", zone="017")), None, "gateway"),
    ],
)
def test_folders(event: Event, device: Device | None, expected: str) -> None:
    settings = EbusSettings.model_validate(
        {"name": "e", "hosts": ["h"], "user": "u", "password": "p", "folder": "gateway", "folders": {"4711": "halle"}}
    )
    found = address_of(settings, event, device)
    assert expected in (found.address or found.problem)
    if found.address:
        place = read_printed(found.address)
        assert place is not None
        assert str(place) == found.address
        assert found.queue == place.folder


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"picture_name": "x"}, "the same name: it needs {{ n }}"),
        ({"picture_name": "{{ n }}"}, "two events the same name"),
        ({"text_name": "alarm"}, "two events the same name"),
        ({"text_name": "{{ unknown }}"}, "unknown"),
        ({"path": "../other"}, "expected folders"),
        ({"folder": "a/b"}, "pattern"),
        ({"codes": {"nonsense": "x"}}, "is no kind of event"),
        ({"photos": {"name": "{{ n }}"}}, "give picture_name"),
        ({"routine": "0s"}, "between"),
        ({"hosts": []}, "at least 1"),
        ({"user": "a\r\nb"}, "pattern"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    good = {"name": "e", "hosts": ["ftp.example.net"], "user": "u", "password": "p"}
    EbusSettings.model_validate(good)
    with pytest.raises(ValueError, match=re.escape(part)):
        EbusSettings.model_validate({**good, **table})


@pytest.mark.parametrize(
    ("table", "endpoint"),
    [
        ({"hosts": ["ftp.example.net"]}, "ftp.example.net:21"),
        ({"hosts": ["ftp.example.net"], "tls": {"mode": "implicit"}}, "ftp.example.net:990"),
        ({"hosts": ["ftp.example.net"], "port": 2121}, "ftp.example.net:2121"),
        ({"hosts": ["2001:db8::1"]}, "[2001:db8::1]:21"),
        ({"hosts": ["[2001:db8::1]:22"]}, "[2001:db8::1]:22"),
    ],
)
def test_ports(table: dict[str, Any], endpoint: str) -> None:
    settings = EbusSettings.model_validate({"name": "e", "user": "u", "password": "p", **table})
    assert [str(one) for one in settings.endpoints()] == [endpoint]
