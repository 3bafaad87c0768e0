"""Any bytes of a Sur-Gard receiver, however split, are the same records, and each is read as one."""

from tocsin.protocols.surgard.framing import Dropped, Frame, RecordReader, wrap
from tocsin.protocols.surgard.reading import read

SEEDS = tuple(
    wrap(record)
    for record in (
        b"5011 181234E12101001",
        b"501001 186F01E13002017",
        b"1011           @    ",
        b"S011[#1234|Nri1BA01]",
        b"S01001[#6F01|Nri2/BA17^North gate^]",
        b"3011      1234BA0005",
        b"1011      0012 C1128",
        b"5011 181234E1210100108:15:30-04/03",
        b"0011[#0000|NYC011]",
        b"5011 181234E121010015011 181234E12101001",
    )
)


def one(data: bytes) -> None:
    whole, parts = RecordReader(), RecordReader()
    found = whole.feed(data)
    pieces = [each for at in range(0, len(data), 5) for each in parts.feed(data[at : at + 5])]
    assert found == pieces
    for each in found:
        if isinstance(each, Dropped):
            assert each.detail
            continue
        assert isinstance(each, Frame)
        for raw in each.records:
            record = read(raw)
            assert record.raw == raw
            assert record.kind
            assert record.account.isprintable()
            assert read(raw, 3).kind == record.kind
