"""What panels say, as events (dc09.md 7, 10, 15, 16)."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.event import Address, Code, Event, Location
from tocsin.model.kinds import KINDS
from tocsin.protocols.translate import DataOptions, PanelEvent, panel_events, station_data

FRAME_TIME = datetime(2026, 3, 4, 8, 15, 30, tzinfo=UTC)
RIGA = ZoneInfo("Europe/Riga")  # UTC+2 on that day


def _one(token: str, data: bytes, extended=(), account: str = "6F01", **more) -> PanelEvent:
    (event,) = panel_events(token, data, extended, account, **more)
    return event


def test_e1_burglary() -> None:
    assert _one("SIA-DCS", b"#6F01|Nri2/BA17") == PanelEvent(
        account="6F01",
        kind="burglary",
        code=Code(sia="BA", number="17"),
        area="2",
        zone="17",
        meaning="burglary, unspecified",
        event_class="intrusion.generic",
    )


def test_e3_contact_id_with_time_place_and_link() -> None:
    extended = [
        ("H", b"08:15:28,03-04-2026"),
        ("L", b"North gate"),
        ("V", b"https://verify.example.org/e/7f3a"),
    ]
    assert _one("ADM-CID", b"#004711|1130 02 017", extended, "004711") == PanelEvent(
        account="004711",
        kind="burglary",
        code=Code(contact_id="1130", number="017"),
        area="02",
        zone="017",
        meaning="burglary, unspecified",
        event_class="intrusion.generic",
        occurred=datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC),
        label="North gate",
        url="https://verify.example.org/e/7f3a",
        extended=(
            ("H", "08:15:28,03-04-2026"),
            ("L", "North gate"),
            ("V", "https://verify.example.org/e/7f3a"),
        ),
    )


def test_e12_text_in_utf_8() -> None:
    assert _one("SIA-DCS", b"#6F01|Nri2/TA17", [("I", "Gehäuse offen".encode())]).text == "Gehäuse offen"


def test_e13_two_events() -> None:
    first, second = panel_events("SIA-DCS", b"#6F01|Nti08:15/ri2/BA17^North gate^/BV17", [], "6F01")
    assert (first.code, first.text) == (Code(sia="BA", number="17"), "North gate")
    assert (second.code, second.text, second.event_class) == (Code(sia="BV", number="17"), "", "intrusion.verified")


def test_e14_restore() -> None:
    event = _one("ADM-CID", b"#6F01|3130 02 017")
    assert (event.kind, event.state, event.code) == ("burglary", "restore", Code(contact_id="3130", number="017"))


@pytest.mark.parametrize(
    ("token", "data", "kind", "user", "code"),
    [
        ("SIA-DCS", b"#6F01|Nid7/ri2/CL7", "armed", "7", Code(sia="CL", number="7", user_number=True)),
        ("SIA-DCS", b"#6F01|Nri2/OP007", "disarmed", "007", Code(sia="OP", number="007", user_number=True)),
        ("SIA-DCS", b"#6F01|Nid7/ri2/CL", "armed", "7", Code(sia="CL")),
        ("ADM-CID", b"#6F01|3401 02 007", "armed", "007", Code(contact_id="3401", number="007", user_number=True)),
        ("ADM-CID", b"#6F01|1121 02 007", "duress", "007", Code(contact_id="1121", number="007", user_number=True)),
        ("ADM-CID", b"#6F01|3401 02 000", "armed", "", Code(contact_id="3401")),
    ],
)
def test_a_number_that_counts_users_is_the_users(token: str, data: bytes, kind: str, user: str, code: Code) -> None:
    event = _one(token, data)
    assert (event.kind, event.user, event.zone, event.code) == (kind, user, None, code)


def test_a_number_that_counts_areas_is_the_area() -> None:
    event = _one("SIA-DCS", b"#6F01|NCA2")
    assert (event.kind, event.area, event.zone) == ("armed", "2", None)
    event = _one("ADM-CID", b"#6F01|3403 01 002")
    assert (event.kind, event.area, event.zone) == ("armed", "01", "002")


def test_group_and_zone_of_zeros_are_none() -> None:
    event = _one("ADM-CID", b"#6F01|1301 00 000")
    assert (event.kind, event.area, event.zone, event.code) == ("aux_power_lost", None, None, Code(contact_id="1301"))


@pytest.mark.parametrize(
    ("data", "account", "flags"),
    [
        (b"#6F01|NRP", "6F01", ()),
        (b"#6f01|NRP", "6f01", ()),
        (b"|NRP", "6F01", ()),
        (b"NRP", "6F01", ()),
        (b"#0815|NRP", "0815", ("account_differs",)),
        (b"#06F01|NRP", "06F01", ("account_differs",)),
    ],
)
def test_the_inner_account_wins(data: bytes, account: str, flags: tuple[str, ...]) -> None:
    event = _one("SIA-DCS", data)
    assert (event.account, event.flags) == (account, flags)


@pytest.mark.parametrize(
    ("token", "data", "account"),
    [
        ("SIA-DCS", b"", "6F01"),
        ("SIA-DCS", b"#6F01|", "6F01"),
        ("SIA-DCS", b"#6F01|@conf", "6F01"),
        ("ADM-CID", b"#4711|garbage", "4711"),
        ("ADM-CID", b"", "6F01"),
        ("ADM-CID", b"#6F01|NBA1", "6F01"),
        ("SIA-PUL", b"\x01\x02", "6F01"),
        ("ACR-SF", b"#4711|12 3", "6F01"),
    ],
)
def test_an_unreadable_alarm_is_still_an_alarm(token: str, data: bytes, account: str) -> None:
    event = _one(token, data, [("I", b"from the panel")])
    assert (event.kind, event.state, event.account, event.code) == ("alarm", "new", account, None)
    assert "raw" in event.flags
    assert len(event.raw) == len(data)
    assert event.raw.isprintable()
    assert event.text.endswith("from the panel")


def test_what_is_only_partly_read_keeps_the_rest() -> None:
    event = _one("SIA-DCS", b"#6F01|NBA1|@conf")
    assert (event.kind, event.flags, event.raw) == ("burglary", ("partly_read",), "#6F01|NBA1|@conf")


def test_text_alone_is_information() -> None:
    event = _one("SIA-DCS", b"#000010|AFire Zone 2", account="000010")
    assert (event.kind, event.text, event.flags) == ("info", "Fire Zone 2", ())
    assert _one("SIA-DCS", b"#6F01|EDA3*21.5C_").text == "DA3*21.5C_"


def test_unknown_codes_are_kept_and_shown() -> None:
    event = _one("SIA-DCS", b"#6F01|NPC5")
    assert (event.kind, event.zone, event.text) == ("info", "5", "unknown SIA code PC")
    assert event.flags == ("unknown_code",)
    event = _one("ADM-CID", b"#6F01|1112 01 005")
    assert (event.kind, event.text, event.flags) == ("fire", "unknown Contact ID code 112", ("unknown_code",))


def test_everything_extended_data_may_bring() -> None:
    extended = [
        ("S", b"North depot"),
        ("L", b"Gate [1"),
        ("I", b"first"),
        ("V", b"https://v.example.org/1, https://v.example.org/2"),
        ("V", b"ftp://v.example.org/3.avi"),
        ("V", b"channel 5"),
        ("V", b"javascript:alert(1)"),
        ("U", b"6F01/1.jpg"),
        ("U", b"6F01/2.jpg"),
        ("X", b"024E45.123"),
        ("Y", b"59N26.456"),
        ("K", b"00112233"),
        ("Q", b"\x00?"),
        ("I", b"second"),
    ]
    event = _one("SIA-DCS", b"#6F01|NBA1^gate^", extended)
    assert event.site == "North depot"
    assert event.label == "Gate [1"
    assert event.text == "gate; first; second; channel 5; javascript:alert(1)"
    assert event.url == "https://v.example.org/1,https://v.example.org/2,ftp://v.example.org/3.avi"
    assert event.files == ("6F01/1.jpg", "6F01/2.jpg")
    assert event.location == Location(59.440933, 24.75205)
    assert dict(event.extended)["K"] == "***"
    assert "00112233" not in repr(event)
    assert dict(event.extended)["Q"] == "?"


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (b"024E45.1", b"059N26.2", Location(59.436667, 24.751667)),
        (b"070W02.4", b"33S54", Location(-33.9, -70.04)),
        (b"024N45.1", b"059N26.2", None),
        (b"024E60.0", b"059N26.2", None),
        (b"181E00.0", b"059N26.2", None),
        (b"024E45.1", b"", None),
        (b"024E45.1", b"059N26.2]", None),
    ],
)
def test_positions(x: bytes, y: bytes, place: Location | None) -> None:
    assert _one("SIA-DCS", b"#6F01|NBA1", [("X", x), ("Y", y)]).location == place


def test_time_of_occurrence() -> None:
    event = _one("SIA-DCS", b"#6F01|Nti08:00/BA1", [("H", b"08:15:28,03-04-2026")], frame_time=FRAME_TIME, zone=RIGA)
    assert event.occurred == datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC)
    local = [("H", b"10:15:28,03-04-2026")]
    assert _one("SIA-DCS", b"#6F01|NBA1", local, occurred_zone=RIGA).occurred == event.occurred
    unread = _one("SIA-DCS", b"#6F01|NBA1", [("H", b"25:15:28,03-04-2026")])
    assert (unread.occurred, unread.flags) == (None, ("time_unreadable",))


@pytest.mark.parametrize(
    ("modifiers", "occurred"),
    [
        (b"ti10:15:28", datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC)),
        (b"ti10:14", datetime(2026, 3, 4, 8, 14, tzinfo=UTC)),
        (b"ti23:50", datetime(2026, 3, 4, 21, 50, tzinfo=UTC) - timedelta(days=1)),  # the nearest 23:50 is last night's
        (b"da03-01-26/ti10:15", datetime(2026, 3, 1, 8, 15, tzinfo=UTC)),
        (b"da03-01-2026/ti10:15", datetime(2026, 3, 1, 8, 15, tzinfo=UTC)),
        (b"da02-30-26/ti10:15", datetime(2026, 3, 4, 8, 15, tzinfo=UTC)),  # no such day
        (b"ti25:15", None),
        (b"da03-01-26", None),
    ],
)
def test_the_panels_own_clock(modifiers: bytes, occurred: datetime | None) -> None:
    event = _one("SIA-DCS", b"#6F01|N" + modifiers + b"/BA1", frame_time=FRAME_TIME, zone=RIGA)
    assert event.occurred == occurred


def test_the_panels_own_clock_needs_its_zone_and_a_date() -> None:
    assert _one("SIA-DCS", b"#6F01|Nti10:15/BA1", frame_time=FRAME_TIME).occurred is None
    assert _one("SIA-DCS", b"#6F01|Nti10:15/BA1", zone=RIGA).occurred is None


def test_at_the_edge_of_the_calendar() -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    first = datetime(1, 1, 1, tzinfo=UTC)
    for moment in (first, last):
        for hours in (-12, 12):
            zone = timezone(timedelta(hours=hours))
            assert _one("SIA-DCS", b"#6F01|Nti10:15/BA1", frame_time=moment, zone=zone).kind == "burglary"
            assert _one("SIA-DCS", b"#6F01|Nda12-31-9999/ti23:59/BA1", frame_time=moment, zone=zone).kind == "burglary"


def test_old_events_are_marked_late() -> None:
    assert _one("SIA-DCS", b"#6F01|OBA1").flags == ("late",)


EXTENDED = st.lists(st.tuples(st.sampled_from("HIJKLMSUVXYZ"), st.binary(max_size=30)), max_size=4)


@given(st.sampled_from(["SIA-DCS", "ADM-CID", "SIA-PUL", ""]), st.binary(max_size=60), EXTENDED)
@settings(max_examples=300)
def test_any_bytes_become_events(token: str, data: bytes, extended: list[tuple[str, bytes]]) -> None:
    events = panel_events(token, data, extended, "6F01", frame_time=FRAME_TIME, zone=RIGA)
    assert events
    for event in events:
        assert event.kind in KINDS
        assert event.account
        assert "\x00" not in repr(event)


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("SIA-DCS", b"#6F01|Nri2/BA17"),
        ("SIA-DCS", b"#6F01|Nid7/ri02/CL007"),
        ("SIA-DCS", b"#6F01|Nid7/ri2/CL"),
        ("SIA-DCS", b"#6F01|Nid7/ri4/FA2"),
        ("SIA-DCS", b"#6F01|NPC5"),
        ("SIA-DCS", b"#6F01|Nri2/CA2"),
        ("SIA-DCS", b"#6F01|Nri2/BH1503"),
        ("SIA-DCS", b"#000110|NAT"),
        ("ADM-CID", b"#6F01|1130 02 017"),
        ("ADM-CID", b"#6F01|6130 02 017"),
        ("ADM-CID", b"#6F01|3401 02 007"),
        ("ADM-CID", b"#6F01|3403 01 002"),
        ("ADM-CID", b"#6F01|1777 00 000"),
        ("ADM-CID", b"#6F01|16AB 0B 0CD"),
    ],
)
def test_through_the_gateway_unchanged(form, data: bytes) -> None:
    came = _one(form, data)
    options = DataOptions(occurred=False, info=False)
    assert station_data(form, _kept(came), _address(came), options) == (data, [])


@pytest.mark.parametrize(
    ("came_as", "data", "goes_as", "expected"),
    [
        ("SIA-DCS", b"#6F01|Nri2/BA17", "ADM-CID", b"#6F01|1130 02 017"),
        ("SIA-DCS", b"#6F01|Nid7/ri2/CL7", "ADM-CID", b"#6F01|3401 02 007"),
        ("SIA-DCS", b"#6F01|Nid7/ri2/CL", "ADM-CID", b"#6F01|3401 02 007"),
        ("SIA-DCS", b"#6F01|NCA2", "ADM-CID", b"#6F01|3403 02 000"),
        ("SIA-DCS", b"#6F01|NAR", "ADM-CID", b"#6F01|3301 00 000"),
        ("ADM-CID", b"#6F01|1110 02 017", "SIA-DCS", b"#6F01|Nri02/FA017"),
        ("ADM-CID", b"#6F01|3401 02 007", "SIA-DCS", b"#6F01|Nid007/ri02/CL007"),
        ("ADM-CID", b"#6F01|1602 00 000", "SIA-DCS", b"#6F01|NRP"),
    ],
)
def test_through_the_gateway_into_the_other_format(came_as: str, data: bytes, goes_as, expected: bytes) -> None:
    came = _one(came_as, data)
    options = DataOptions(occurred=False, info=False)
    assert station_data(goes_as, _kept(came), _address(came), options) == (expected, [])


def test_a_raw_event_tells_the_station_what_came() -> None:
    came = _one("SIA-PUL", b"12 34")
    sent = station_data("SIA-DCS", _kept(came), _address(came), DataOptions(occurred=False))
    assert sent == (b"#6F01|NUA", [("I", b"12 34")])


def _address(event: PanelEvent) -> Address:
    return Address(event.account, event.area, event.zone)


def _kept(event: PanelEvent) -> Event:
    return Event(
        id="1",
        kind=event.kind,
        state=event.state,
        occurred_at=FRAME_TIME,
        accepted_at=FRAME_TIME,
        source="panels",
        address=_address(event),
        code=event.code,
        user=event.user,
        text=event.text,
    )
