"""Any bytes from an XProtect system are a frame, an answer, pictures, recordings or the fault that names them."""

from contextlib import suppress
from datetime import UTC, datetime

from tocsin.engine.systems import Span, SystemFault
from tocsin.systems.milestone.answers import json_of
from tocsin.systems.milestone.generic_bytes import frames_of
from tocsin.systems.milestone.image_server import Answers, Picture, jpeg_of
from tocsin.systems.milestone.joining import Topology
from tocsin.systems.milestone.resources import Hardware, listed, page_of, read_driver_settings, read_item
from tocsin.systems.milestone.sequences import merged, read_sequences
from tocsin.systems.milestone.states import MEANINGS, read_frame, states_of
from tocsin.transports.http import HttpAnswer

_PACKET = bytes.fromhex("001000000025000a0001000100000195741fdc8000000195741fdc8000000000") + b"\0\0\0\1e"
SEEDS = (
    b'\0{"events":[{"id":"a","type":"6baad64b-c395-4f52-b6a3-dd1b64aa2f0f","source":"hardware/b","time":"2025-03-08T06:14:02Z"}]}',
    b'\1{"array":[{"id":"b4d7cd44","enabled":true,"address":"http://192.0.2.22/","relations":{"parent":{"id":"r"}}}]}',
    b'\2{"data":{"hardwareDriverSettings":{"macAddress":"B8A44F0A117E"}}}',
    b"\3ImageResponse\r\nCurrent: 1741410000000\r\nContent-length: 2\r\nContent-type: image/jpeg\r\n\r\nhi",
    b"\3ImageResponse\r\nCurrent: 1741410000000\r\nContent-type: multipart/related; boundary=b0\r\n\r\n"
    b"--b0\r\nContent-length: 37\r\n\r\n" + _PACKET + b"\r\n--b0\r\nContent-length: 2\r\n\r\nhi\r\n--b0--\r\n\r\n",
    b"\4\xfe\xf0" + bytes(14) + _PACKET + _PACKET.replace(b"\0\x10", b"\0\x20", 1),
    b"\5<a><SequencesGetResult><SequenceEntry><TimeBegin>2025-03-08T09:00:00Z</TimeBegin><TimeEnd>2025-03-08T09:05:00Z"
    b"</TimeEnd></SequenceEntry></SequencesGetResult></a>",
    b"\3<methodresponse><methodname>connect</methodname><connected>yes</connected></methodresponse>\r\n\r\n",
)


def one(data: bytes) -> None:
    readers = (_frame, _listing, _settings, _pictures, _recorded, _recordings)
    try:
        readers[data[0] % len(readers) if data else 0](data[1:])
    except SystemFault as fault:
        assert str(fault)


def _frame(data: bytes) -> None:
    frame = read_frame(data)
    for event in (*(frame.states or ()), *(frame.events or ())):
        for state in states_of(event, MEANINGS, Topology({"camera": {"b": ("c",)}}), "UTC", "event"):
            assert state.native_key


def _listing(data: bytes) -> None:
    answer = HttpAnswer(200, "", (), data)
    page = page_of(answer, "x", Hardware)
    for item, read in zip(listed(json_of(answer, "x"), "x"), page, strict=True):
        assert read == read_item(item, Hardware) or not isinstance(read, Hardware)
        assert not isinstance(read, Hardware) or read.key


def _settings(data: bytes) -> None:
    assert isinstance(read_driver_settings(json_of(HttpAnswer(200, "", (), data), "x")).mac, str)


def _pictures(data: bytes) -> None:
    answers = Answers()
    answers.feed(data)
    while (answer := answers.next()) is not None:
        if isinstance(answer, Picture):
            _each_way(answer)


def _each_way(picture: Picture) -> None:
    """What is no photo may be recorded video, and the other way round."""
    for reading in (jpeg_of, frames_of):
        with suppress(SystemFault):
            reading(picture)


def _recorded(data: bytes) -> None:
    assert all(frame.data for frame in frames_of(Picture(0, "", data)))


def _recordings(data: bytes) -> None:
    day = Span(datetime(2025, 3, 8, tzinfo=UTC), datetime(2025, 3, 9, tzinfo=UTC))
    assert all(one.length for one in merged(read_sequences(HttpAnswer(200, "", (), data)), day))
