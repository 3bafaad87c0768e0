"""Photos from a stand-in recording server over the ImageServer protocol (connectors.md 4.9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems.milestone.conftest import answers_in

from tocsin.engine.systems import NotSupported, ProtocolFault, SystemFault, UnknownDevice, Unreachable
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.milestone.site import identity
from tocsin.standins.milestone.switches import Assumptions, Fault
from tocsin.systems.milestone.image_server import Picture, Said

CAMERA = identity("camera", 3)
CONNECTED = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b"<methodresponse><requestid>1</requestid><methodname>connect</methodname>\n"
    b"  <connected>yes</connected><errorreason>Success</errorreason><alwaysstdjpeg>no</alwaysstdjpeg></methodresponse>"
    b"\r\n\r\n"
)
IMAGE = (
    b"ImageResponse\r\nRequestId: 2\r\nPrev: 1741409999960\r\nCurrent: 1741410000000\r\nNext: 1741410000040\r\n"
    b"Content-length: 11\r\nContent-type: image/jpeg\r\n\r\nhello\r\n\r\nyo\r\n\r\n"
)
NOTHING = b"ImageResponse\r\nRequestId: 3\r\nContent-length: 0\r\nContent-type: image/jpeg\r\n\r\n\r\n\r\n"
MEANT = [
    Said("connect", True, "Success"),
    Picture(1741410000000, "image/jpeg", b"hello\r\n\r\nyo"),
    Picture(0, "image/jpeg", b""),
]


def test_answers_whole_and_byte_by_byte() -> None:
    stream = CONNECTED + IMAGE + NOTHING + CONNECTED[:20]
    assert answers_in(stream) == MEANT
    assert answers_in(*(stream[at : at + 1] for at in range(len(stream)))) == MEANT


@pytest.mark.parametrize(
    "stream",
    [
        IMAGE.replace(b"length: 11", b"length: -1"),
        IMAGE.replace(b"length: 11", b"length: 99999999999"),
        IMAGE.replace(b"1741410000000", b"9" * 18),
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>\r\n\r\n",
        b"<" + b"x" * 70000,
        b"\x00\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_a_protocol_fault(stream: bytes) -> None:
    with pytest.raises(ProtocolFault):
        answers_in(stream)


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"\r\n\r\n", b"ImageResponse\r\n", b"Content-length: 3"])))
def test_any_bytes_are_answers_or_a_protocol_fault(parts: list[bytes]) -> None:
    try:
        assert all(isinstance(one, Picture | Said) for one in answers_in(*parts))
    except ProtocolFault:
        return


@pytest.mark.parametrize("picture", ["jpeg", "generic"])
@pytest.mark.parametrize("at", [None, datetime(2025, 3, 8, 5, 0, tzinfo=UTC)])
async def test_a_photo_now_and_then(bench: Any, picture: Any, at: datetime | None) -> None:
    one = await bench(assumptions=Assumptions(picture=picture))
    assert isinstance(jpeg_facts(await one.system.photo(CAMERA, at)), JpegFacts)
    assert [told["recorder"] for told in one.told if "recorder" in told] == ["connect", "goto" if at else "live"]


async def test_the_way_to_a_recorder_and_its_token_are_asked_for_once(bench: Any) -> None:
    one = await bench()
    await one.read()
    one.told.clear()
    for _ in range(3):
        await one.system.photo(CAMERA)
    assert [told["request"] for told in one.told if "request" in told] == [
        "POST /ManagementServer/ServerCommandServiceOAuth.svc"
    ]
    one.clock.skipped_s += 2 * 3600 + 1
    await one.system.photo(CAMERA)
    assert len(one.requests("ServerCommandService")) == 2


async def test_video_is_not_taken_for_a_photo(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(picture="video"))
    with pytest.raises(NotSupported, match=r"sends H\.264 although JPEG was asked for"):
        await one.system.photo(CAMERA)


async def test_a_gap_gives_no_picture_of_another_time(bench: Any) -> None:
    one = await bench()
    at = datetime(2025, 3, 8, 5, 0, tzinfo=UTC)
    begin, end = (round((at + timedelta(minutes=m)).timestamp() * 1000) for m in (-5, 5))
    one.site.recorder.gaps.append((begin, end))
    with pytest.raises(
        SystemFault, match=r"nothing was recorded at 2025-03-08 05:00:00 UTC; the nearest is of 04:54:59"
    ):
        await one.system.photo(CAMERA, at)


async def test_a_recorder_that_does_not_take_the_token_gets_a_new_one_next_time(bench: Any) -> None:
    one = await bench()
    await one.system.photo(CAMERA)
    one.site.gateway.connection_token = "another"
    with pytest.raises(SystemFault, match="does not admit us: Not authorized"):
        await one.system.photo(CAMERA)
    assert await one.system.photo(CAMERA)


async def test_a_recorder_that_is_not_there(bench: Any) -> None:
    one = await bench()
    await one.site.recorder.aclose()
    with pytest.raises(Unreachable, match="nothing listens on port"):
        await one.system.photo(CAMERA)


async def test_a_management_server_that_is_silent_ends_by_the_deadline(bench: Any) -> None:
    one = await bench(photo_timeout="300ms")
    one.site.gateway.faults = [Fault("ServerCommand", "silent", 0)]
    with pytest.raises(Unreachable, match=r"within 0\.3 s"):
        await one.system.photo(CAMERA)


async def test_a_key_cannot_lead_elsewhere(bench: Any) -> None:
    one = await bench()
    with pytest.raises(UnknownDevice, match="does not exist"):
        await one.system.photo("../roles?x=")
    assert [told["request"] for told in one.requests("roles")] == ["GET /api/rest/v1/cameras/..%2Froles%3Fx%3D"]


async def test_a_camera_that_does_not_exist(bench: Any) -> None:
    one = await bench()
    with pytest.raises(UnknownDevice, match="xp has no camera nobody: cameras/nobody does not exist"):
        await one.system.photo("nobody")
