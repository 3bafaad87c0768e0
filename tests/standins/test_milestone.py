"""The stand-in XProtect site: strict about requests, and of the published shapes."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest

from tocsin.engine.clock import LoopClock
from tocsin.standins.milestone import recorder_soap
from tocsin.standins.milestone.archive import Archive, Video, clip
from tocsin.standins.milestone.recorder_soap import RECORDING_SEQUENCE, SPACE, answered
from tocsin.standins.milestone.site import STARTED, Plan, Site
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.milestone.switches import Assumptions, Fault, Login, read_assumptions, read_fault, read_gap

GOLDEN = Path(__file__).parents[1] / "systems/milestone/golden"
FORM = {"grant_type": "password", "username": "u", "password": "p&+%", "client_id": "GrantValidatorClient"}


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


class Peer:
    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.session = session
        self.headers: dict[str, str] = {}

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path, headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def token(self, form: dict[str, str], path: str = "/API/IDP/connect/token") -> tuple[int, Any]:
        async with self.session.post(self.url + path, data=form) as answer:
            return answer.status, await answer.json()

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(self.url + "/api/ws/events/v1", headers=self.headers)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    standin = MilestoneStandin("127.0.0.1:0", lambda told: None, LoopClock(), Plan(4, 2), Login("u", "p&+%"))
    port = await standin.start()
    async with aiohttp.ClientSession() as session:
        one = Peer(port, session)
        _, granted = await one.token(FORM)
        one.headers = {"Authorization": f"Bearer {granted['access_token']}"}
        yield one
    await standin.aclose()


async def test_it_says_what_the_published_samples_say(peer: Peer) -> None:
    status, cameras = await peer.get("/api/rest/v1/cameras?disabled&page=0&size=200")
    assert (status, len(cameras["array"])) == (200, 4)
    assert golden("cameras.json")["array"][0].keys() <= cameras["array"][0].keys()
    _, hardware = await peer.get("/api/rest/v1/hardware")
    assert golden("hardware.json")["array"][0].keys() <= hardware["array"][0].keys()
    key = hardware["array"][0]["id"]
    _, settings = await peer.get(f"/api/rest/v1/hardwareDriverSettings/{key}")
    wanted = golden("driver_settings.json")["data"]["hardwareDriverSettings"]
    assert settings["data"]["hardwareDriverSettings"].keys() == wanted.keys()
    assert (await peer.get("/api/.well-known/uris"))[1].keys() == golden("uris.json").keys()
    assert (await peer.token(FORM))[1].keys() == golden("token.json").keys()


def test_states_and_events_have_the_published_members() -> None:
    site = Site(Plan(1, 1))
    assert site.current()[0].keys() == golden("states.json")["states"][0].keys()
    event = site.happened(next(iter(site.states)), STARTED, datetime.now(UTC))
    assert event.keys() == golden("events.json")["events"][0].keys()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/rest/v1/cameras?pages=1", 400),
        ("/api/rest/v1/cameras?page=-1&size=10", 400),
        ("/api/rest/v1/cameras?page=0&size=2001", 400),
        ("/api/rest/v1/hardwareDriverSettings", 400),
        ("/api/rest/v1/doors", 404),
        ("/api/rest/v1/cameras/none", 404),
        ("/api/rest/v1/events?page=0&size=10", 400),
        ("/rest/v1/cameras", 404),
    ],
)
async def test_what_it_does_not_know_is_refused(peer: Peer, path: str, status: int) -> None:
    assert (await peer.get(path))[0] == status


async def test_without_a_good_token_nothing_is_told(peer: Peer) -> None:
    for headers in ({}, {"Authorization": "Bearer none"}, {"Authorization": peer.headers["Authorization"][7:]}):
        peer.headers = headers
        assert (await peer.get("/api/rest/v1/sites"))[0] == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": "p"}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "invalid_request"),
        ({"scope": "managementserver"}, "invalid_request"),
    ],
)
async def test_the_login_wants_exactly_what_is_published(peer: Peer, changes: dict[str, str], error: str) -> None:
    status, told = await peer.token({**FORM, **changes})
    assert (status, told["error"]) == (400, error)


@pytest.mark.parametrize(
    "command",
    [
        {"command": "getState", "commandId": 1},
        {"command": "startSession", "commandId": 1},
        {"command": "subscribe", "commandId": 1},
        {"command": "startSession", "commandId": "1", "sessionId": "", "eventId": ""},
    ],
)
async def test_a_malformed_command_ends_the_socket(peer: Peer, command: dict[str, Any]) -> None:
    socket = await peer.socket()
    await socket.send_json(command)
    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert socket.close_code == 1008


async def test_sessions_and_subscriptions(peer: Peer) -> None:
    socket = await peer.socket()
    await socket.send_json({"command": "startSession", "commandId": 1, "sessionId": "", "eventId": ""})
    begun = await socket.receive_json()
    assert begun.keys() == golden("start_session.json").keys()
    await socket.send_json({"command": "addSubscription", "commandId": 2, "filters": []})
    assert await socket.receive_json() == golden("error.json")
    await socket.send_json({"command": "getState", "commandId": 3})
    assert await socket.receive_json() == {"commandId": 3, "status": 200, "states": []}
    await socket.close()
    again = await peer.socket()
    await again.send_json({"command": "startSession", "commandId": 1, "sessionId": begun["sessionId"], "eventId": ""})
    assert await again.receive_json() == {**begun, "status": 200}


async def test_things_happen_on_command(peer: Peer) -> None:
    for path, status in (("unplug/1", 204), ("unplug/9", 404), ("explode/1", 404), ("remove/2", 204), ("drop", 204)):
        async with peer.session.post(f"{peer.url}/standin/{path}") as answer:
            assert answer.status == status
    assert len((await peer.get("/api/rest/v1/cameras"))[1]["array"]) == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cameras?disabled&page=6=silent*2", Fault("cameras?disabled&page=6", "silent", 2)),
        ("token=503", Fault("token", "503", 0)),
        ("token=200", None),
        ("silent", None),
        ("x=silent*many", None),
    ],
)
def test_faults_as_they_are_written(text: str, fault: Fault | None) -> None:
    if fault is None:
        with pytest.raises(ValueError):
            read_fault(text)
    else:
        found = read_fault(text)
        assert (found.where, found.how, found.times) == (fault.where, fault.how, fault.times)


def test_gaps_as_they_are_written() -> None:
    assert read_gap("1970-01-01T00:00:01Z/1970-01-01T00:01:00Z") == (1000, 60_000)
    with pytest.raises(ValueError, match="expected FROM/TO"):
        read_gap("yesterday")


@pytest.mark.parametrize("video", ["h264", "h264-b", "h265"])
def test_recordings_are_real_video_and_the_same_each_time(video: Video) -> None:
    gops = clip("c1", video)
    stream = b"".join(one.data for gop in gops for one in gop)
    with av.open(io.BytesIO(stream), format="hevc" if video == "h265" else "h264") as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
    assert all([one.key for one in gop] == [True] + [False] * 9 for gop in gops)
    assert sorted(one.offset_ms for one in gops[1]) == list(range(0, 2000, 200))
    clip.cache_clear()
    assert clip("c1", video) == gops


def test_an_archive_has_gaps_an_end_and_touching_sequences() -> None:
    hour = 3_600_000
    begin = 1_741_410_000_000 // hour * hour
    archive = Archive("c1", "jpeg", lambda: begin + 2 * hour)
    archive.gaps = [(begin + 10_000, begin + 20_000)]
    first = begin // 2000
    assert [archive.recorded(first + n) for n in (4, 5, 9, 10)] == [True, False, False, True]
    assert archive.at_or_before(begin + 15_000) == first + 4
    assert archive.after(first + 4) == first + 10
    assert list(archive.sequences(begin + 5_000, begin + hour + 1)) == [
        (begin, begin + 10_000),
        (begin + 20_000, begin + hour),
        (begin + hour, begin + 2 * hour - 1000),
    ]
    archive.until_ms = begin + 30_000
    assert archive.after(first + 14) is None
    assert archive.at_or_before(begin + hour) == first + 14


SEQUENCES = (
    f'<a><SequencesGet xmlns="{SPACE}"><token>t</token><deviceId>c1</deviceId><sequenceType>{RECORDING_SEQUENCE}'
    "</sequenceType><minTime>2025-03-08T09:00:00.0000000Z</minTime><maxTime>2025-03-08T09:10:00.0000000Z</maxTime>"
    "<maxCount>10</maxCount></SequencesGet></a>"
)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("", "", 200),
        ("<token>t", "<token>u", 500),
        ("<deviceId>c1</deviceId>", "", 500),
        (RECORDING_SEQUENCE, "motion", 500),
        ("2025-03-08T09:00", "yesterday", 500),
        (SPACE, "http://example.net/", 500),
        ("<a>", "<a", 500),
    ],
)
def test_recordings_are_asked_for_exactly_so(old: str, new: str, status: int) -> None:
    def archive(camera: str) -> Archive:
        return Archive(camera, "jpeg", lambda: 1_741_500_000_000)

    headers = {"soapaction": f'"{SPACE}/SequencesGet"'}
    body = (SEQUENCES.replace(old, new) if old else SEQUENCES).encode()
    told = answered(recorder_soap.PATH, headers, body, lambda token: token == "t", archive, "oldest")
    assert told[0] == status
    assert answered("/", headers, body, lambda token: True, archive, "oldest")[0] == 500


def test_assumptions_as_they_are_written() -> None:
    assert read_assumptions(["paging=ignored", "pongs=false"]) == Assumptions(paging="ignored", pongs=False)
    with pytest.raises(ValueError, match="there is paging, driver_settings"):
        read_assumptions(["pageing=ignored"])
    with pytest.raises(ValueError, match="perhaps"):
        read_assumptions(["paging=perhaps"])
