"""The frames of dc09.md 15, with what they mean: for every test that needs DC-09 bytes whose meaning is known."""

from datetime import UTC, datetime

from msgspec import Struct

from tocsin.protocols.dc09.message import Extended, Message

K128 = b"Sample key no. 1"
K192 = b"Sample key number two..."
K256 = b"Sample key number three, 32 byte"
TIME = datetime(2026, 3, 4, 8, 15, 30, tzinfo=UTC)
PAD = b"kT4wZ8pQ2mX6cV0bN5jH9dG3sF7"
ACK_PAD = PAD[:26]


class Vector(Struct, frozen=True):
    """`pad` is the pad in `frame`; `text` of `frame` is complete, LF to CR."""

    name: str
    frame: bytes
    message: Message
    key: bytes | None = None
    pad: bytes = b""
    binary_crc: bool = False


def _frame(text: str) -> bytes:
    return b"\n" + text.encode("latin-1") + b"\r"


_EVENT = b"#6F01|Nri2/BA17"

E1 = Vector(
    "E1 burglary",
    _frame('FB0A0039"SIA-DCS"0001L0#6F01[#6F01|Nri2/BA17]_08:15:30,03-04-2026'),
    Message("SIA-DCS", "0001", "6F01", data=_EVENT, timestamp=TIME),
)
E2 = Vector("E2 reply to E1", _frame('E2600012"ACK"0001L0#6F01[]'), Message("ACK", "0001", "6F01"))
E3 = Vector(
    "E3 Contact ID with extended data",
    _frame(
        '28DA0089"ADM-CID"0002R1L20#004711[#004711|1130 02 017][H08:15:28,03-04-2026][LNorth gate]'
        "[Vhttps://verify.example.org/e/7f3a]_08:15:30,03-04-2026"
    ),
    Message(
        "ADM-CID",
        "0002",
        "004711",
        prefix="20",
        receiver="1",
        data=b"#004711|1130 02 017",
        extended=(
            Extended("H", b"08:15:28,03-04-2026"),
            Extended("L", b"North gate"),
            Extended("V", b"https://verify.example.org/e/7f3a"),
        ),
        timestamp=TIME,
    ),
)
E4 = Vector(
    "E4 reply to E3",
    _frame('43110017"ACK"0002R1L20#004711[]'),
    Message("ACK", "0002", "004711", prefix="20", receiver="1"),
)
E5 = Vector(
    "E5 link test",
    _frame('DEE80027"NULL"0000L0#6F01[]_08:15:30,03-04-2026'),
    Message("NULL", "0000", "6F01", timestamp=TIME),
)
E6 = Vector("E6 reply to E5", _frame('27310012"ACK"0000L0#6F01[]'), Message("ACK", "0000", "6F01"))

_SECRET = Message("SIA-DCS", "0003", "6F01", encrypted=True, data=_EVENT, timestamp=TIME)

E7 = Vector(
    "E7 AES-128",
    _frame(
        'AF610096"*SIA-DCS"0003L0#6F01['
        "21EFBC3947E2BFDC4B7DAA1315EB9926AE31765EA613B3FC7F36FBB6DE049E3C"
        "9DE053EBC62CDBAFA827AB9A60E8A1BAC9C0C8CC26D9C8CD26A03929554F8ADC"
    ),
    _SECRET,
    K128,
    PAD,
)
E7B = Vector(
    "E7b pad of the older rule",
    _frame(
        'FD2F0076"*SIA-DCS"0003L0#6F01['
        "FB09313239386BFF83D851D8E79885A2E910362C4DCFC92C961B36356DD2AD4C43A75D429EBCF5F256E88CFE1459A342"
    ),
    _SECRET,
    K128,
    PAD[:11],
)
E7C = Vector(
    "E7c AES-192",
    _frame(
        'E17D0096"*SIA-DCS"0003L0#6F01['
        "A44A0E3D6C760D9D371049771EF735C562F3D144928B7D9C0DB82AA3912025FE"
        "FDC4695C575AFD91A9E295511E7CE145DE8A107C4DDE66CF15E19CDEF69FDB93"
    ),
    _SECRET,
    K192,
    PAD,
)
E7D = Vector(
    "E7d AES-256",
    _frame(
        'FAEE0096"*SIA-DCS"0003L0#6F01['
        "E8B010C23280834666C131083A755DCD7DD2AAEB53638583379786B098CB1180"
        "85E7B67BBDBED5057FD0571CDFC0525FD8720977F8136F67D2DDF9C3996E31B1"
    ),
    _SECRET,
    K256,
    PAD,
)
E8 = Vector(
    "E8 encrypted reply to E7",
    _frame(
        '018D0072"*ACK"0003L0#6F01['
        "21EFBC3947E2BFDC4B7DAA1315EB992604FE424A2FC6ADD839A5BBB616AE4DD4D9C4C454A3E1D3262E9423EBCC9A3475"
    ),
    Message("ACK", "0003", "6F01", encrypted=True, timestamp=TIME),
    K128,
    ACK_PAD,
)
E9 = Vector(
    "E9 encrypted link test",
    _frame(
        '95AC0073"*NULL"0000L0#6F01['
        "21EFBC3947E2BFDC4B7DAA1315EB992604FE424A2FC6ADD839A5BBB616AE4DD4D9C4C454A3E1D3262E9423EBCC9A3475"
    ),
    Message("NULL", "0000", "6F01", encrypted=True, timestamp=TIME),
    K128,
    ACK_PAD,
)
E10 = Vector(
    "E10 time outside the window",
    _frame('607E0025"NAK"0000R0L0A0[]_08:15:30,03-04-2026'),
    Message("NAK", "0000", "A0", receiver="0", marked=False, timestamp=TIME),
)
E11 = Vector("E11 cannot process", _frame('CCAE0012"DUH"0004L0#6F01[]'), Message("DUH", "0004", "6F01"))
E12 = Vector(
    "E12 UTF-8 text",
    _frame('064D004A"SIA-DCS"0005L0#6F01[#6F01|Nri2/TA17][IGeh\xc3\xa4use offen]_08:15:30,03-04-2026'),
    Message(
        "SIA-DCS",
        "0005",
        "6F01",
        data=b"#6F01|Nri2/TA17",
        extended=(Extended("I", "Gehäuse offen".encode()),),
        timestamp=TIME,
    ),
)
E13 = Vector(
    "E13 two events",
    _frame('56B10052"SIA-DCS"0006L0#6F01[#6F01|Nti08:15/ri2/BA17^North gate^/BV17]_08:15:30,03-04-2026'),
    Message("SIA-DCS", "0006", "6F01", data=b"#6F01|Nti08:15/ri2/BA17^North gate^/BV17", timestamp=TIME),
)
E14 = Vector(
    "E14 restore",
    _frame('2A9F003B"ADM-CID"0007L0#6F01[#6F01|3130 02 017]_08:15:30,03-04-2026'),
    Message("ADM-CID", "0007", "6F01", data=b"#6F01|3130 02 017", timestamp=TIME),
)
E15 = Vector(
    "E15 checksum in two bytes",
    _frame('\xde\xe80027"NULL"0000L0#6F01[]_08:15:30,03-04-2026'),
    E5.message,
    binary_crc=True,
)

STANDARD = (E1, E2, E3, E4, E5, E6, E7, E7B, E7C, E7D, E8, E9, E10, E11, E12, E13, E14, E15)

CAPTURES = (
    Vector("capture: ACK", _frame('59890012"ACK"0000L0#1409[]'), Message("ACK", "0000", "1409")),
    Vector(
        "capture: NULL",
        _frame('EA740027"NULL"0000L0#1409[]_20:38:07,08-27-2026'),
        Message("NULL", "0000", "1409", timestamp=datetime(2026, 8, 27, 20, 38, 7, tzinfo=UTC)),
    ),
    Vector(
        "capture: code without slash",
        _frame(
            '01CD005F"SIA-DCS"1783L0#000110[#000110|Nri1BA503^Volum.Taverna   Appartam.Giorno ^]_11:49:27,01-20-2022'
        ),
        Message(
            "SIA-DCS",
            "1783",
            "000110",
            data=b"#000110|Nri1BA503^Volum.Taverna   Appartam.Giorno ^",
            timestamp=datetime(2022, 1, 20, 11, 49, 27, tzinfo=UTC),
        ),
    ),
    Vector(
        "capture: Contact ID test",
        _frame('DABA003F"ADM-CID"0062L0#B12345[#B12345|1602 00 000]_17:23:51,09-18-2023'),
        Message(
            "ADM-CID",
            "0062",
            "B12345",
            data=b"#B12345|1602 00 000",
            timestamp=datetime(2023, 9, 18, 17, 23, 51, tzinfo=UTC),
        ),
    ),
    Vector(
        "capture: NAK",
        _frame('3C3B0025"NAK"0000R0L0A0[]_15:39:35,05-07-2019'),
        Message(
            "NAK",
            "0000",
            "A0",
            receiver="0",
            marked=False,
            timestamp=datetime(2019, 5, 7, 15, 39, 35, tzinfo=UTC),
        ),
    ),
)

STATIONS = (
    Vector(
        "stations.md 5: all fields",
        _frame(
            'FEE80106"SIA-DCS"0042R1L234#567890[#567890|NBA001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024]'
            "[Vhttps://gw.example.net/e/7Q2M][Ibattery=87%;asu=19;person=0.93]"
            "[Uftp://media.example.net/567890/20240530T191504Z_2DAD_1.jpg][X024E45.1][Y059N26.2]_19:15:05,05-30-2024"
        ),
        Message(
            "SIA-DCS",
            "0042",
            "567890",
            prefix="234",
            receiver="1",
            data=b"#567890|NBA001",
            extended=(
                Extended("S", b"North depot"),
                Extended("L", b"Detector 2DAD"),
                Extended("H", b"22:15:04,05-30-2024"),
                Extended("V", b"https://gw.example.net/e/7Q2M"),
                Extended("I", b"battery=87%;asu=19;person=0.93"),
                Extended("U", b"ftp://media.example.net/567890/20240530T191504Z_2DAD_1.jpg"),
                Extended("X", b"024E45.1"),
                Extended("Y", b"059N26.2"),
            ),
            timestamp=datetime(2024, 5, 30, 19, 15, 5, tzinfo=UTC),
        ),
    ),
    Vector(
        "stations.md 5: Contact ID",
        _frame(
            'F17C008F"ADM-CID"0043L0#9280[#9280|1130 00 001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024]'
            "[Vhttps://gw.example.net/e/7Q2M]_19:15:05,05-30-2024"
        ),
        Message(
            "ADM-CID",
            "0043",
            "9280",
            data=b"#9280|1130 00 001",
            extended=(
                Extended("S", b"North depot"),
                Extended("L", b"Detector 2DAD"),
                Extended("H", b"22:15:04,05-30-2024"),
                Extended("V", b"https://gw.example.net/e/7Q2M"),
            ),
            timestamp=datetime(2024, 5, 30, 19, 15, 5, tzinfo=UTC),
        ),
    ),
    Vector(
        "stations.md 5: supervision",
        _frame('8CA40027"NULL"0000L0#9280[]_19:16:05,05-30-2024'),
        Message("NULL", "0000", "9280", timestamp=datetime(2024, 5, 30, 19, 16, 5, tzinfo=UTC)),
    ),
    Vector(
        "stations.md 5: ACK",
        _frame('ED290018"ACK"0042R1L234#567890[]'),
        Message("ACK", "0042", "567890", prefix="234", receiver="1"),
    ),
    Vector(
        "stations.md 5: DUH",
        _frame('96120018"DUH"0042R1L234#567890[]'),
        Message("DUH", "0042", "567890", prefix="234", receiver="1"),
    ),
)

VECTORS = STANDARD + CAPTURES + STATIONS
