"""Any text in any field of an event: what each type of station composes is one message, read without complaint."""

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template

import msgspec

from tocsin.app.loading import load
from tocsin.app.offline import Offline
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.engine.contracts import Rejected, Rendered
from tocsin.model.event import Actor, Event, Location, Place
from tocsin.model.kinds import KINDS
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import read as read_dc09
from tocsin.protocols.surgard.framing import Frame, RecordReader
from tocsin.protocols.surgard.reading import read as read_record
from tocsin.standins.mail_readers import Assumed, Letter, Reads, understood
from tocsin.standins.manitou import read_packet
from tocsin.standins.osap import read_message
from tocsin.standins.stages import read_signal

NOW = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
LEAST = 50
"""One input is a message of every type of station."""
ORDER = sorted(KINDS - {"system_stopped"})
HEADERS = {"from", "to", "subject", "date", "message-id", "x-event-id", "auto-submitted", "mime-version"}
CONTENT = {"content-type", "content-transfer-encoding", "content-disposition"}
STATION_KEY = b"tocsin demo key?"
SEEDS = (
    b"\0Gate cam\0North depot\0text\0e/7Q2M",
    b"\1N\xc3\xa4me\r\nBcc: x@example.org\0A]r[e|a\0<b>&amp;</b>\0?a=b&c=d",
    b"\7../../etc\0\x14\x06\x15\x03\x02\0]_[]|\r\n.\r\n\0'\"",
    b"\x21{{ x }}\0%s{0}\0\xf0\x9f\x94\xa5\xe2\x80\xa8\0%0d%0a",
)


class _Ports(dict[str, str]):
    def __missing__(self, name: str) -> str:
        self[name] = f"127.0.0.1:{2000 + len(self)}" if name == "console" else str(2000 + len(self))
        return self[name]


def _stations() -> Offline:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tocsin.toml")
        whole = files("tocsin.app.demo").joinpath("demo.toml").read_text(encoding="utf-8")
        text = whole.partition("[[evidence]]")[0]  # an agent composes nothing for stations
        file.write_text(Template(text).substitute(_Ports()), encoding="utf-8")
        settings = load(file).settings
    assert settings is not None
    return Offline(settings, DESTINATION_TYPES)


STATIONS = _stations()


def one(data: bytes) -> None:
    kind = ORDER[data[0] % len(ORDER)] if data else "motion"
    name, area, text, url = [*data[1:].decode("utf-8", "replace").split("\0"), "", "", "", ""][:4]
    event = Event(
        id="01J8ZQ5C7Q0000000000000001",
        kind=kind,  # type: ignore[arg-type]
        occurred_at=NOW,
        accepted_at=NOW,
        source="detectors",
        place=Place(name[:200], "detector", area[:200]),
        text=text[:2000],
        url="https://x.example.net/" + "".join(re.findall(r"[^\s\x00-\x1f]", url))[:500],
        actors=(Actor("person", 0.9),) if kind == "motion" else (),
        location=Location(59.437, 24.752),
    )
    for station, reads in READERS.items():
        try:
            rendered = STATIONS.render(station, event, [])
        except Rejected as refused:
            assert str(refused).isprintable()
            continue
        reads(rendered)


def _plain(rendered: list[Rendered]) -> None:
    (found,) = FrameReader().feed(rendered[-1].data)
    assert isinstance(found, RawFrame)
    assert read_dc09(found).timestamp_raw.startswith(b"_")


def _encrypted(rendered: list[Rendered]) -> None:
    (found,) = FrameReader().feed(rendered[-1].data)
    assert isinstance(found, RawFrame)
    assert re.fullmatch(rb"#0042\|[136]\d{3} \d\d \d{3}", read_dc09(found, STATION_KEY).data)


def _record(rendered: list[Rendered]) -> None:
    (found,) = RecordReader().feed(rendered[-1].data)
    assert isinstance(found, Frame)
    assert read_record(found.records[0]).kind == "contact-id"


def _manitou(rendered: list[Rendered]) -> None:
    assert not read_packet(rendered[-1].data.strip(b"\r\n"))["problems"]


def _stages(rendered: list[Rendered]) -> None:
    _head(rendered)
    assert not read_signal(rendered[-1].data)[1]


def _osap(rendered: list[Rendered]) -> None:
    _head(rendered)
    assert not read_message(rendered[-1].data)[1]


def _webhook(rendered: list[Rendered]) -> None:
    _head(rendered)
    assert set(msgspec.json.decode(rendered[-1].data)) >= {"event_type", "device_info", "url"}


def _head(rendered: list[Rendered]) -> None:
    lines = rendered[0].data.decode("ascii").rstrip("\r\n").split("\r\n")
    assert all(re.fullmatch(r"[A-Za-z-]+: [ -~]*", line) for line in lines[1:])


def _ebus(rendered: list[Rendered]) -> None:
    for one_file in rendered:
        path = PurePosixPath(one_file.name)
        assert one_file.name.isascii()
        assert len(path.parts) == 2
        assert ".." not in path.parts
    lines = rendered[-1].data.decode("ascii").rstrip("\r\n").split("\r\n")
    assert all(re.match(r"[A-Z][A-Za-z]+: \S", line) for line in lines), lines


def _mail(reads: Reads) -> Callable[[list[Rendered]], None]:
    def check(rendered: list[Rendered]) -> None:
        data = rendered[-1].data
        assert data.isascii()
        assert b"\n" not in data.replace(b"\r\n", b"")
        message = message_from_bytes(data, policy=policy.default)
        assert {name.lower() for name in message.keys()} <= HEADERS | CONTENT  # noqa: SIM118 - headers come twice
        assert not [defect for part in message.walk() for defect in part.defects]
        body = message.get_body(("plain",))
        assert body is not None
        text = str(body.get_content()).replace("\r\n", "\n").rstrip("\n")
        letter = Letter((str(message["To"]),), str(message["Subject"]), text, 0)
        assert not understood(reads, letter, Assumed()).problems

    return check


READERS: dict[str, Callable[[list[Rendered]], None]] = {
    "arc": _plain, "arc-encrypted": _encrypted, "surgard": _record, "microkey": _record, "manitou": _manitou,
    "stages": _stages, "osap": _osap, "webhook": _webhook, "ebus": _ebus, "immix": _mail("immix"),
    "sentinel": _mail("sentinel"), "patriot": _mail("patriot"), "sureview": _mail("sureview"), "email": _mail(""),
}  # fmt: skip
