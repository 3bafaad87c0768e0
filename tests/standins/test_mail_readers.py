"""What each station's stand-in takes, from the chapters' own examples, and what it refuses."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.standins.mail_readers import Assumed, Letter, Reads, understood

ALARM = (
    "<Alarm>\n<VersionInfo>1</VersionInfo>\n<Input1>3</Input1>\n<EventType>PersonDetected</EventType>\n"
    "<ExtraText>Person, North gate, Detector 2A41, battery 87 %</ExtraText>\n"
    "<DateTime>2026-03-04T05:06:07Z</DateTime>\n"
    "<Location>59.437000,24.753600</Location>\n<URL>https://portal.example/e/01J8ZQ5C7Q</URL>\n</Alarm>"
)
PIPE = (
    "SiteID=12345|CameraNo=3|EventType=Gateway|Event=Intruder|CameraName=North gate|DateTime=2026-03-04 05:06:07"
    "|Text=Person, Detector 2A41|URL=https://portal.example/e/01J8ZQ5C7Q"
)
LINE = "client=0011-01 zone=3 type=130 url=https://portal.example/e/01J8ZQ5C7Q"


def read(reads: Reads, text: str, assumed: Assumed | None = None, **changes: object) -> tuple[dict[str, object], str]:
    letter = Letter(
        **{"recipients": ("S12345@immixalarms.com",), "subject": "s", "text": text, "pictures": 0, **changes}
    )
    found = understood(reads, letter, assumed or Assumed())
    return dict(found.facts), "; ".join(found.problems)


@pytest.mark.parametrize(
    ("reads", "text", "fact", "value"),
    [
        ("immix", ALARM, "Input1", "3"),
        ("sentinel", PIPE, "CameraNo", "3"),
        ("sentinel", PIPE.replace("|", "\n"), "Text", "Person, Detector 2A41"),
        ("patriot", LINE, "client", "0011-01"),
        ("patriot", "client=0011", "client", "0011"),
        ("sureview", "Depot Nord\n59.437000,24.753600\nhttps://portal.example", "position", "59.437000,24.753600"),
    ],
)
def test_published_examples_are_read(reads: Reads, text: str, fact: str, value: str) -> None:
    facts, problems = read(reads, text)
    assert (facts[fact], problems) == (value, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Hello", "is no XML"),
        (f"{ALARM}\nKind regards", "is no XML"),
        (ALARM.replace("Alarm>", "Event>"), "the root is Event"),
        (ALARM.replace("PersonDetected", "personDetected"), "'personDetected' is no event type"),
        (ALARM.replace("<VersionInfo>1", "<VersionInfo>2"), "VersionInfo is not 1"),
        (ALARM.replace("<Input1>3", "<Input1>A"), "Input1 is no number"),
        (ALARM.replace("05:06:07Z", "05:06"), "is not of the form"),
        (ALARM.replace("<URL>", "<URL><b/>"), "URL holds more than text"),
        (ALARM.replace("<Location>", "<Input1>4</Input1><Location>"), "Input1 is there 2 times"),
        (ALARM.replace("Location>", "Place>"), "Place is no element"),
        ("<Alarm/>", "EventType is missing"),
        ('<!DOCTYPE a [<!ENTITY x "y">]>' + ALARM.replace("Person,", "&x;"), "ExtraText holds more than text"),
    ],
)
def test_immix_is_strict(text: str, problem: str) -> None:
    facts, problems = read("immix", text)
    assert problem in problems
    assert "y, North gate" not in str(facts)


def test_what_a_site_sets_is_assumed() -> None:
    own = Assumed("%d.%m.%Y", ("SystemAlarm",))
    assert (
        read("immix", ALARM.replace("PersonDetected", "SystemAlarm").replace("2026-03-04T05:06:07Z", "4.3.2026"), own)[
            1
        ]
        == ""
    )
    assert "is no S-address" in read("immix", ALARM, recipients=("x@example.net",))[1]
    assert "2 files where 1 are taken" in read("patriot", LINE, pictures=2)[1]
    assert read("patriot", LINE, Assumed(media=2), pictures=2)[1] == ""


@pytest.mark.parametrize(
    ("reads", "text", "problem"),
    [
        ("sentinel", "Event=Intruder", "SiteID is missing"),
        ("sentinel", "SiteID=1|Event=Intruder|Event=Fire", "Event is there twice"),
        ("sentinel", "SiteID=1|Event=", "'Event' has no value"),
        ("sentinel", "SiteID=1|Event=Fire|Colour=red", "'Colour' is no known name"),
        ("patriot", "zone=3", "client is missing"),
        ("patriot", "client=0011-001", "client is missing, or no client number"),
        ("patriot", "client=1 zone=65001", "zone is no number"),
        ("patriot", "client=1 type=E130", "type is no number"),
        ("patriot", "client=1\nclient=2", "more than one line"),
        ("patriot", "client=1 client=2", "a name is there twice"),
        ("patriot", "client=1 url=https://x/a b", "'b' is no known name"),
    ],
)
def test_the_others_are_strict_too(reads: Reads, text: str, problem: str) -> None:
    assert problem in read(reads, text)[1]


def test_sureview_shows_the_subject() -> None:
    assert read("sureview", "x")[0] == {"shown": "s", "position": ""}
    assert "the subject is empty" in read("sureview", "x", subject="")[1]
    assert "has one address" in read("sureview", "x", recipients=("a@b", "c@d"))[1]


@given(st.sampled_from(get_args(Reads)), st.text(max_size=200) | st.text("<>&;=| \nclientSiteIDAlarm/1", max_size=80))
def test_any_text_is_read_or_refused(reads: Reads, text: str) -> None:
    understood(reads, Letter(("a@example.net",), "s", text.encode("utf-8", "replace").decode(), 0), Assumed())
