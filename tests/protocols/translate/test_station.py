"""What stations are told, byte for byte (stations.md 5, event-codes.md 6)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.model.event import Actor, Address, Code, Event, Location, Place
from tocsin.model.kinds import KINDS
from tocsin.protocols import contact_id, sia
from tocsin.protocols.contact_id import ContactIdError
from tocsin.protocols.translate import DataOptions, Unsendable, station_data

AT = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
BARE = DataOptions(site=False, device=False, occurred=False, link=False, info=False, files=False, position=False)
DETECTION = Event(
    id="01HZ",
    kind="motion",
    occurred_at=AT,
    accepted_at=AT,
    source="detectors",
    zone="+03:00",
    place=Place(name="Detector 2DAD", area="North depot"),
    url="https://gw.example.net/e/7Q2M",
    battery=87,
    signal_asu=19,
    actors=(Actor("person", 0.93),),
    location=Location(59.437, 24.752),
)


def _event(kind: str, **more) -> Event:
    return Event(id="1", kind=kind, occurred_at=AT, accepted_at=AT, source="panels", **more)


def _panel(kind: str, state: str, address: Address, **code) -> Event:
    return _event(
        kind, state=state, address=address, code=Code(**code), user=code["number"] if code.get("user_number") else ""
    )


def _brackets(sent: tuple[bytes, list[tuple[str, bytes]]]) -> bytes:
    data, extended = sent
    return b"[" + data + b"]" + b"".join(b"[" + letter.encode() + value + b"]" for letter, value in extended)


def test_the_complete_example_in_sia_dcs() -> None:
    sent = station_data(
        "SIA-DCS",
        DETECTION,
        Address("567890", "00", "001", "1", "234"),
        DataOptions(occurred_time="device"),
        ["ftp://media.example.net/567890/20240530T191504Z_2DAD_1.jpg"],
    )
    assert _brackets(sent) == (
        b"[#567890|NBA001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024][Vhttps://gw.example.net/e/7Q2M]"
        b"[Ibattery=87%;asu=19;person=0.93][Uftp://media.example.net/567890/20240530T191504Z_2DAD_1.jpg]"
        b"[X024E45.1][Y059N26.2]"
    )


def test_the_complete_example_in_adm_cid() -> None:
    options = DataOptions(occurred_time="device", info=False, position=False)
    sent = station_data("ADM-CID", DETECTION, Address("9280", None, "001"), options)
    assert _brackets(sent) == (
        b"[#9280|1130 00 001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024][Vhttps://gw.example.net/e/7Q2M]"
    )


ZONE_17 = Address("6F01", "2", "17")
USER = Address("6F01", "2")
GATEWAY = Address("6F01")


@pytest.mark.parametrize(
    ("kind", "state", "address", "cid", "sia_code", "number", "is_user", "dcs", "adm"),
    [
        ("burglary", "new", ZONE_17, "1136", "BA", "17", False, b"#6F01|Nri2/BA17", b"#6F01|1136 02 017"),
        ("burglary", "restore", ZONE_17, "3136", "BR", "17", False, b"#6F01|Nri2/BR17", b"#6F01|3136 02 017"),
        ("tamper", "new", ZONE_17, "1383", "TA", "17", False, b"#6F01|Nri2/TA17", b"#6F01|1383 02 017"),
        ("battery_low", "new", ZONE_17, "1384", "XT", "17", False, b"#6F01|Nri2/XT17", b"#6F01|1384 02 017"),
        ("connection_lost", "new", ZONE_17, "1381", "UY", "17", False, b"#6F01|Nri2/UY17", b"#6F01|1381 02 017"),
        ("connection_restored", "new", ZONE_17, "3381", "UJ", "17", False, b"#6F01|Nri2/UJ17", b"#6F01|3381 02 017"),
        ("aux_power_lost", "new", GATEWAY, "1301", "AT", None, False, b"#6F01|NAT", b"#6F01|1301 00 000"),
        ("armed", "new", USER, "3401", "CL", "7", True, b"#6F01|Nid7/ri2/CL7", b"#6F01|3401 02 007"),
        ("disarmed", "new", USER, "1401", "OP", "7", True, b"#6F01|Nid7/ri2/OP7", b"#6F01|1401 02 007"),
        ("panic", "new", Address("6F01", None, "3"), "1120", "PA", "3", False, b"#6F01|NPA3", b"#6F01|1120 00 003"),
        ("routine_check", "new", GATEWAY, "1602", "RP", None, False, b"#6F01|NRP", b"#6F01|1602 00 000"),
    ],
)
def test_the_table_of_examples(kind, state, address, cid, sia_code, number, is_user, dcs, adm) -> None:
    by_contact_id = _panel(kind, state, address, contact_id=cid, number=number, user_number=is_user)
    assert station_data("SIA-DCS", by_contact_id, address, BARE) == (dcs, [])
    assert station_data("ADM-CID", by_contact_id, address, BARE) == (adm, [])
    by_sia = _panel(kind, state, address, sia=sia_code, number=number, user_number=is_user)
    assert station_data("SIA-DCS", by_sia, address, BARE) == (dcs, [])
    if kind not in ("burglary", "connection_lost", "connection_restored"):  # stations.md 3 has its own codes for these
        without_code = replace(by_sia, code=None, user="7" if is_user else "")
        assert station_data("SIA-DCS", without_code, address, BARE) == (dcs, [])
        assert station_data("ADM-CID", without_code, address, BARE) == (adm, [])


def test_whatever_number_the_panel_brought_passes_unchanged() -> None:
    for number in ("17", "017", "1503", "1F", "2-7"):
        own = Address("6F01", None, number)
        event = _panel("burglary", "new", own, sia="BA", number=number)
        assert station_data("SIA-DCS", event, own, BARE)[0] == b"#6F01|NBA" + number.encode()


def test_a_number_sia_cannot_hold_is_told_in_words() -> None:
    own = Address("6F01", None, "gate[3]")
    data, extended = station_data("SIA-DCS", _event("burglary", address=own), own)
    assert data == b"#6F01|NBA"
    assert dict(extended)["I"] == b"number gate(3)"


def test_contact_id_refuses_what_does_not_fit_or_tells_it_in_words() -> None:
    own = Address("6F01", "100", "1503")
    event = _panel("burglary", "new", own, sia="BA", number="1503")
    with pytest.raises(ContactIdError, match="'100' does not fit"):
        station_data("ADM-CID", event, own)
    with pytest.raises(Unsendable, match="'1503' does not fit"):
        station_data("ADM-CID", event, replace(own, area=None))
    data, extended = station_data("ADM-CID", event, own, DataOptions(numbers_in_text=True))
    assert data == b"#6F01|1130 00 000"
    assert dict(extended)["I"] == b"area 100 number 1503"


def test_a_group_of_a_configured_address_is_sent_as_ri_only_on_request() -> None:
    address = Address("9280", "00", "001")
    assert station_data("SIA-DCS", _event("tamper"), address, BARE)[0] == b"#9280|NTA001"
    asked = replace(BARE, dcs_group_as_ri=True)
    assert station_data("SIA-DCS", _event("tamper"), address, asked)[0] == b"#9280|Nri00/TA001"
    assert station_data("ADM-CID", _event("tamper"), address, BARE)[0] == b"#9280|1383 00 001"


def test_a_user_keeps_his_number_where_the_device_has_another_zone() -> None:
    event = _panel("armed", "new", Address("6F01"), sia="CL", number="7", user_number=True)
    assert station_data("SIA-DCS", event, Address("9280", None, "001"), BARE)[0] == b"#9280|Nid7/CL7"
    assert station_data("SIA-DCS", _event("armed"), Address("9280", None, "001"), BARE)[0] == b"#9280|NCL001"


def test_overrides_reach_the_wire() -> None:
    assert (
        station_data("SIA-DCS", _event("motion"), GATEWAY, replace(BARE, overrides={"motion": "BV"}))[0] == b"#6F01|NBV"
    )
    changed = replace(BARE, overrides={"connection_lost": "E381"})
    assert station_data("ADM-CID", _event("connection_lost"), GATEWAY, changed)[0] == b"#6F01|1381 00 000"


def test_sia_has_no_code_for_system_stopped() -> None:
    with pytest.raises(Unsendable, match="system_stopped"):
        station_data("SIA-DCS", _event("system_stopped"), GATEWAY)
    assert station_data("ADM-CID", _event("system_stopped"), GATEWAY, BARE)[0] == b"#6F01|1308 00 000"


@pytest.mark.parametrize("account", ["", "12]34", "#12", "é", "1" * 33])
def test_an_account_that_would_break_the_block_is_refused(account: str) -> None:
    with pytest.raises(Unsendable, match="no account number"):
        station_data("SIA-DCS", _event("motion"), Address(account))


@pytest.mark.parametrize(
    ("field", "letters"),
    [
        ("site", "S"),
        ("device", "L"),
        ("occurred", "H"),
        ("link", "V"),
        ("info", "I"),
        ("files", "U"),
        ("position", "XY"),
    ],
)
def test_each_field_can_be_switched_off(field: str, letters: str) -> None:
    def sent(options: DataOptions) -> str:
        return "".join(letter for letter, _ in station_data("SIA-DCS", DETECTION, GATEWAY, options, ["1.jpg"])[1])

    assert sent(DataOptions()) == "SLHVIUXY"
    assert sent(replace(DataOptions(), **{field: False})) == "SLHVIUXY".replace(letters, "")


def test_fields_without_content_are_left_out() -> None:
    assert station_data("SIA-DCS", _event("motion"), GATEWAY)[1] == [("H", b"19:15:04,05-30-2024")]


@pytest.mark.parametrize(
    ("zone", "place", "expected"),
    [
        ("+03:00", "", b"22:15:04,05-30-2024"),
        ("Europe/Tallinn", "UTC", b"22:15:04,05-30-2024"),
        ("", "Asia/Tokyo", b"04:15:04,05-31-2024"),
        ("Nowhere/At_all", "", b"19:15:04,05-30-2024"),
        ("", "", b"19:15:04,05-30-2024"),
    ],
)
def test_h_in_the_devices_zone(zone: str, place: str, expected: bytes) -> None:
    event = _event("motion", zone=zone, place=Place(time_zone=place))
    assert station_data("SIA-DCS", event, GATEWAY, DataOptions(occurred_time="device"))[1] == [("H", expected)]
    assert station_data("SIA-DCS", event, GATEWAY)[1] == [("H", b"19:15:04,05-30-2024")]


def test_h_at_the_edge_of_the_calendar() -> None:
    event = replace(_event("motion", zone="+03:00"), occurred_at=datetime(9999, 12, 31, 23, tzinfo=UTC))
    sent = station_data("SIA-DCS", event, GATEWAY, DataOptions(occurred_time="device"))
    assert sent[1] == [("H", b"23:00:00,12-31-9999")]


def test_info_says_what_the_code_cannot() -> None:
    actors = (Actor("person", 0.926), Actor("car"), Actor("truck", 0.4))
    event = _event("motion", text="north gate", battery=0, signal_asu=0, actors=actors)
    assert (
        dict(station_data("SIA-DCS", event, GATEWAY)[1])["I"]
        == b"north gate;battery=0%;asu=0;person=0.93;car;truck=0.40"
    )
    still = _event("burglary", state="still", flags=("test",))
    assert dict(station_data("SIA-DCS", still, GATEWAY)[1])["I"] == b"TEST;still present"
    assert station_data("ADM-CID", _event("burglary", state="still"), GATEWAY, BARE)[0] == b"#6F01|6130 00 000"


def test_values_lose_what_structures_a_frame() -> None:
    event = _event("motion", text="a[b]c|d\r\ne\x00f\x7f\u2028g")
    assert dict(station_data("SIA-DCS", event, GATEWAY)[1])["I"] == b"a(b)c d  e f  g"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "Gehäuse Łódź 門".encode()),
        ("cp1252", b"Geh\xe4use L\xf3dz ?"),
        ("ascii", b"Gehause Lodz ?"),
    ],
)
def test_encodings(encoding, expected: bytes) -> None:
    event = _event("tamper", text="Gehäuse Łódź 門")
    assert dict(station_data("SIA-DCS", event, GATEWAY, DataOptions(encoding=encoding))[1])["I"] == expected


def test_values_are_cut_between_characters() -> None:
    event = _event("tamper", text="ä" * 100)
    assert dict(station_data("SIA-DCS", event, GATEWAY)[1])["I"] == "ä".encode() * 64
    odd = DataOptions(longest=7)
    assert dict(station_data("SIA-DCS", event, GATEWAY, odd)[1])["I"] == "äää".encode()
    assert len(dict(station_data("SIA-DCS", event, GATEWAY, DataOptions(encoding="cp1252"))[1])["I"]) == 100


def test_links_are_dropped_whole_from_the_end_and_lose_what_structures_a_frame() -> None:
    link = "https://v.example.org/" + "a" * 100
    event = _event("motion", url=",".join([link, link, link]))
    assert dict(station_data("SIA-DCS", event, GATEWAY)[1])["V"] == f"{link},{link}".encode()
    odd = _event("motion", url="https://v.example.org/e?a[0]=ä|b c")
    assert dict(station_data("SIA-DCS", odd, GATEWAY)[1])["V"] == b"https://v.example.org/e?a%5B0%5D=%C3%A4%7Cb%20c"
    assert "V" not in dict(station_data("SIA-DCS", _event("motion", url="https://" + "a" * 300), GATEWAY)[1])


@pytest.mark.parametrize(
    ("place", "x", "y"),
    [
        (Location(59.437, 24.752), b"024E45.1", b"059N26.2"),
        (Location(-33.9, -70.04), b"070W02.4", b"033S54.0"),
        (Location(0.0, 9.99999), b"010E00.0", b"000N00.0"),
    ],
)
def test_positions(place: Location, x: bytes, y: bytes) -> None:
    sent = dict(station_data("SIA-DCS", _event("motion", location=place), GATEWAY)[1])
    assert (sent["X"], sent["Y"]) == (x, y)


def test_positions_may_be_finer() -> None:
    sent = dict(station_data("SIA-DCS", DETECTION, GATEWAY, DataOptions(minutes_decimals=3))[1])
    assert (sent["X"], sent["Y"]) == (b"024E45.120", b"059N26.220")


TEXTS = st.text(max_size=200)


@given(
    st.sampled_from(sorted(KINDS - {"system_stopped"})),
    st.sampled_from(["new", "restore", "still"]),
    st.builds(
        Code, sia=st.none() | TEXTS, contact_id=st.none() | TEXTS, number=st.none() | TEXTS, user_number=st.booleans()
    ),
    st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS),
    st.sampled_from(["utf-8", "cp1252", "ascii"]),
)
@settings(max_examples=300)
def test_whatever_the_event_says_the_blocks_stay_whole(kind, state, code, texts, encoding) -> None:
    text, user, url, area, name = texts
    event = _event(kind, state=state, code=code, text=text, user=user, url=url, place=Place(area=area, name=name))
    options = DataOptions(encoding=encoding, numbers_in_text=True)
    address = Address("6F01", area, name)
    for form in ("SIA-DCS", "ADM-CID"):
        data, extended = station_data(form, event, address, options, [url])
        assert not set(data) & set(b"[]\r\n")
        for letter, value in extended:
            assert value
            assert not set(value) & set(b"[]|\r\n\x00")
            assert len(value) <= (4096 if letter == "U" else 256)
    assert len(sia.read(station_data("SIA-DCS", event, address)[0]).events) == 1
    assert isinstance(contact_id.read(station_data("ADM-CID", event, address, options)[0]), contact_id.CidEvent)
