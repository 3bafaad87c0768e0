"""Records by surgard.md 5 and 8: every example in both directions, every layout read, any bytes mean something."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.protocols import contact_id
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.surgard import writing
from tocsin.protocols.surgard.framing import Frame, RecordReader, wrap
from tocsin.protocols.surgard.reading import LAYOUTS, read
from tocsin.protocols.surgard.records import Record

R1, R1L3 = {"receiver": "01", "line": "1"}, {"receiver": "01", "line": "001"}


def contact(raw: bytes, account: str, code: str, group: str, zone: str, **more: object) -> Record:
    return Record(kind="contact-id", raw=raw, account=account, code=code, group=group, zone=zone, **(R1 | more))


G1 = b"5011 181234E12101001"
EXAMPLES = {
    "G1": contact(G1, "1234", "1121", "01", "001"),
    "G2": contact(b"5011 187037E13001004", "7037", "1130", "01", "004"),
    "G3": contact(b"5011 187037R30100000", "7037", "3301", "00", "000"),
    "G4": Record("heartbeat", b"1011           @    ", **R1),
    "G5": contact(b"501001 186F01E13002017", "6F01", "1130", "02", "017", **R1L3),
    "G6": contact(b"501001 186F01R13002017", "6F01", "3130", "02", "017", **R1L3),
    "G7": Record("sia2", b"S011[#1234|Nri1BA01]", account="1234", block=b"#1234|Nri1BA01", **R1),
    "G8": Record(
        "sia2",
        b"S01001[#6F01|Nri2/BA17^North gate^]",
        account="6F01",
        block=b"#6F01|Nri2/BA17^North gate^",
        **R1L3,
    ),
    "G9": Record("sia2", b"S01001[#004711|Nid7/ri2/OP7]", account="004711", block=b"#004711|Nid7/ri2/OP7", **R1L3),
    "G10": Record("sia1", b"3011      1234BA0005", account="1234", code="BA", zone="0005", **R1),
    "G11": Record("basic", b"1011      0012 C1128", account="0012", code="C", group="1", zone="128", **R1),
    "G12": contact(G1 + b"08:15:30-04/03", "1234", "1121", "01", "001", clock="08:15:30-04/03"),
    "G13": Record("status", b"0011[#0000|NYC011]", account="0000", code="YC", zone="011", block=b"#0000|NYC011", **R1),
}


@pytest.mark.parametrize("record", EXAMPLES.values(), ids=EXAMPLES)
def test_examples_are_read_whole_byte_by_byte_and_with_bytes_behind(record: Record) -> None:
    assert read(record.raw) == record
    stream = wrap(record.raw)
    assert RecordReader().feed(stream) == [Frame((record.raw,))]
    reader = RecordReader()
    assert [each for byte in stream for each in reader.feed(bytes([byte]))] == [Frame((record.raw,))]
    assert RecordReader().feed(stream + b"5011 18") == [Frame((record.raw,))]
    assert RecordReader().feed(stream * 3) == [Frame((record.raw,))] * 3


def test_examples_are_written() -> None:
    head, long = writing.header("1", "1", 1), writing.header("01", "1", 3)
    assert (head, long) == ("011", "01001")
    for name in ("G1", "G2", "G3", "G5", "G6"):
        each = EXAMPLES[name]
        written = writing.contact_id(each.receiver + each.line, each.account, each.code, each.group, each.zone)
        assert written == each.raw, name
    for name in ("G7", "G8", "G9"):
        assert writing.sia2(EXAMPLES[name].receiver + EXAMPLES[name].line, EXAMPLES[name].block) == EXAMPLES[name].raw
    assert writing.heartbeat("01", "1", 1) == EXAMPLES["G4"].raw
    assert writing.with_clock(G1, datetime(2026, 3, 4, 8, 15, 30)) == EXAMPLES["G12"].raw
    assert writing.status(head, "YC") == EXAMPLES["G13"].raw


def test_the_bytes_of_g2_and_of_the_heartbeat() -> None:
    assert wrap(EXAMPLES["G2"].raw) == bytes.fromhex("3530313120313837303337453133303031303034 14")
    assert wrap(writing.heartbeat("01", "1", 1)) == bytes.fromhex("31303131" + "20" * 11 + "40" + "20" * 4 + "14")
    assert writing.heartbeat("01", "7", 3) == b"101000           @    "


@pytest.mark.parametrize(
    ("raw", "kind", "facts"),
    [
        (b"1011      0012 C  28", "basic", {"account": "0012", "code": "C", "zone": "28"}),
        (b"101001      0012 C1128", "basic", {"account": "0012", "line": "001", "zone": "128"}),
        (b"301001      1234BA0005", "sia1", {"account": "1234", "line": "001", "zone": "0005"}),
        (b"3011    123456BA0005", "sia1", {"account": "123456"}),
        (b"4011  12345551234567", "caller", {"account": "1234", "code": "5551234567"}),
        (b"6011      1234BA0005", "other", {"account": "1234", "code": "BA", "zone": "0005"}),
        (b"7011      AAAA I123 ", "other", {"code": "AAAA I123"}),
        (b"8011  1234 55555555 9", "other", {"account": "1234", "code": "55555555 9"}),
        (b"80111234 5555 6666 7", "other", {"account": "1234", "code": "5555 6666 7"}),
        (b"9011    123455555555", "other", {"account": "1234", "code": "55555555"}),
        (b"A011      5551234567", "caller", {"account": "", "code": "5551234567"}),
        (b"U011  12340049551234567FFFFF", "caller", {"account": "1234", "code": "0049551234567FFFFF"}),
        (b"S011[#0000|NYC011]", "status", {"code": "YC"}),
        (b"S011[#0000|NYN012]", "sia2", {"account": "0000"}),
        (b"0011[#0000|NYN011]", "status", {"code": "YN"}),
        (b"1011 @ ", "heartbeat", {"loose": True}),
        (b"101000           @    ", "heartbeat", {"line": "000", "loose": False}),
        (b"5FE1 981234P13001003", "contact-id", {"receiver": "FE", "code": "6130", "loose": False}),
        (b"5011 58123456E13001003", "contact-id", {"account": "123456", "loose": False}),
        (b"5011 186f01e13001003", "contact-id", {"account": "6F01", "code": "1130", "loose": True}),
        (b"5011 181234113001003", "contact-id", {"code": "1130", "loose": True}),
        (b"5011181234E13001003", "contact-id", {"account": "1234", "line": "1", "loose": True}),
        (b"501001181234E13001003", "contact-id", {"account": "1234", "line": "001", "loose": True}),
        (b"5011123418E13001003", "contact-id", {"account": "1234", "line": "1", "loose": True}),
        (b"5011 1234 18E13001003", "contact-id", {"account": "1234", "loose": True}),
        (b"S[#1234|NBA01]", "sia2", {"account": "1234", "receiver": "", "loose": True}),
        (b"S011 [#1234|NBA01", "sia2", {"account": "1234", "block": b"#1234|NBA01", "loose": True}),
        (b"S011[#1234|Nri1/BA01|AFront [door]]", "sia2", {"account": "1234", "loose": False}),
        (b"2011 whatever", "unknown", {"account": ""}),
        (b"C011 fsk2", "unknown", {}),
        (b"5011 18", "unknown", {}),
    ],
)
def test_every_form(raw: bytes, kind: str, facts: dict[str, object]) -> None:
    record = read(raw)
    assert (record.kind, record.raw) == (kind, raw)
    assert {name: getattr(record, name) for name in facts} == facts
    clocked = read(raw + b"23:59:59-31/12")
    assert (clocked.kind, clocked.clock) == (kind, "23:59:59-31/12")


def test_another_header_than_the_connections_is_marked() -> None:
    assert not read(G1, 1).loose
    assert read(G1, 3).loose


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.form)
@pytest.mark.parametrize("line", ["1", "001"])
def test_every_layout_reads_its_own_fields(layout, line: str) -> None:
    fill = {"R": "0", "A": "9", "X": "7", "G": "2", "Y": "3", "s": " "}
    raw = layout.form[0] + "".join(fill.get(letter, letter) for letter in layout.form[1:])
    raw = raw.replace("L", line)
    record = read(raw.encode())
    assert (record.kind, record.receiver, record.line) == (layout.kind, "00", line)
    assert record.account == "9" * layout.form.count("A", 1)
    assert record.code.replace(" ", "") == "7" * layout.form.count("X")


@pytest.mark.parametrize(
    ("write", "because"),
    [
        (lambda: writing.header("1FF", "1", 1), "receiver"),
        (lambda: writing.header("1", "12", 1), "line"),
        (lambda: writing.account("12345", 4, "0"), "more than 4"),
        (lambda: writing.contact_id("011", "12A4", "1130", "01", "001"), "only 0 to 9 and B to F"),
        (lambda: writing.contact_id("011", "12\x14", "1130", "01", "001"), "only 0 to 9"),
        (lambda: writing.contact_id("011", "1234", "1130", "1", "001"), "no Contact ID report"),
        (lambda: writing.sia2("011", b"#1234|NBA01^a]b^"), "brackets"),
        (lambda: writing.sia2("011", b"#1234|NBA01^a\x14b^"), "control"),
        (lambda: writing.sia2("011", b"NBA01"), "no account"),
    ],
)
def test_what_cannot_be_written(write, because: str) -> None:
    with pytest.raises(Unsendable, match=because):
        write()


@given(
    st.text("0123456789BCDEF", min_size=3, max_size=16),
    st.sampled_from("136"),
    st.text("0123456789", min_size=3, max_size=3),
    st.text("0123456789", min_size=2, max_size=2),
    st.text("0123456789", min_size=3, max_size=3),
    st.sampled_from([1, 3]),
)
def test_what_is_written_is_read_back(account: str, q: str, code: str, group: str, zone: str, digits: int) -> None:
    raw = writing.contact_id(writing.header("0F", "2", digits), account, q + code, group, zone)
    record = read(raw, digits)
    assert (record.account, record.code, record.group, record.zone) == (account, q + code, group, zone)
    assert not record.loose
    said = contact_id.read(f"#{record.account}|{record.code} {record.group} {record.zone}")
    assert (said.qualifier, said.code) == (q, code)


@settings(max_examples=500)
@given(st.binary(max_size=80) | st.sampled_from([each.raw for each in EXAMPLES.values()]), st.data())
def test_any_bytes_are_a_record(raw: bytes, data: st.DataObject) -> None:
    if raw:
        at = data.draw(st.integers(0, len(raw) - 1))
        raw = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + 1 :]
    record = read(raw)
    assert record.raw == raw
    assert record.kind in ("contact-id", "sia2", "sia1", "basic", "heartbeat", "status", "caller", "other", "unknown")
