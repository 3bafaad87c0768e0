"""Any bytes from an XProtect system are a frame, an answer, a picture or the fault that names them."""

from tocsin.engine.systems import SystemFault
from tocsin.systems.milestone.answers import json_of
from tocsin.systems.milestone.image_server import Answers, Picture, jpeg_of
from tocsin.systems.milestone.joining import Topology
from tocsin.systems.milestone.resources import Hardware, listed, read_driver_settings, read_item
from tocsin.systems.milestone.states import MEANINGS, read_frame, states_of
from tocsin.transports.http import HttpAnswer

SEEDS = (
    b'\0{"events":[{"id":"a","type":"6baad64b-c395-4f52-b6a3-dd1b64aa2f0f","source":"hardware/b","time":"2025-03-08T06:14:02Z"}]}',
    b'\1{"array":[{"id":"b4d7cd44","enabled":true,"address":"http://192.0.2.22/","relations":{"parent":{"id":"r"}}}]}',
    b'\2{"data":{"hardwareDriverSettings":{"macAddress":"B8A44F0A117E"}}}',
    b"\3ImageResponse\r\nCurrent: 1741410000000\r\nContent-length: 2\r\nContent-type: image/jpeg\r\n\r\nhi",
    b"\3<methodresponse><methodname>connect</methodname><connected>yes</connected></methodresponse>\r\n\r\n",
)


def one(data: bytes) -> None:
    readers = (_frame, _listing, _settings, _pictures)
    try:
        readers[data[0] % len(readers) if data else 0](data[1:])
    except SystemFault as fault:
        assert str(fault)


def _frame(data: bytes) -> None:
    frame = read_frame(data)
    for event in (*(frame.states or ()), *(frame.events or ())):
        for state in states_of(event, MEANINGS, Topology(children={"b": (("camera", "c"),)}), "UTC", "event"):
            assert state.native_key


def _listing(data: bytes) -> None:
    for item in listed(json_of(HttpAnswer(200, "", (), data), "x"), "x"):
        read = read_item(item, Hardware)
        assert read is None or read.key


def _settings(data: bytes) -> None:
    assert isinstance(read_driver_settings(json_of(HttpAnswer(200, "", (), data), "x")).mac, str)


def _pictures(data: bytes) -> None:
    answers = Answers()
    answers.feed(data)
    while (answer := answers.next()) is not None:
        if isinstance(answer, Picture):
            jpeg_of(answer)
