"""POST /events: what is taken, what is refused and how that is said."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Served, Station, member, picture, served
from starlette.requests import Request

from tocsin.api.bodies import Buffers
from tocsin.api.limits import Limits

PATH = "/api/v1/events"


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as it:
        yield it


async def send(gw: Served, body: Any, kind: str = "application/json", **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, bytes | aiohttp.FormData) else json.dumps(body).encode()
    data = io.BytesIO(data) if isinstance(data, bytes) else data
    sent = headers if isinstance(data, aiohttp.FormData) else {"content-type": kind, **headers}
    async with gw.http.post(PATH, data=data, headers=sent) as answer:
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
        return answer.status, await answer.json()


def motion(**fields: Any) -> dict[str, Any]:
    return {"kind": "motion", "device_id": "d1", **fields}


async def test_an_accepted_event_is_kept_with_its_device_and_owed(gw: Served) -> None:
    actors = [{"class": "person", "confidence": 0.93, "box": [0.1, 0.2, 0.3, 0.6]}]
    taken = await gw.post(occurred_at="2024-05-30T22:15:04+03:00", actors=actors, text="north gate")
    kept = await gw.get(f"/events/{taken['id']}")
    assert taken["destinations"] == ["arc"]
    assert taken["duplicate"] is False
    assert kept["occurred_at"] == "2024-05-30T22:15:04+03:00"
    assert kept["place"]["area"] == "Depot"
    assert kept["actors"] == actors
    await gw.settles(taken["id"], "arc", "delivered")


async def test_the_same_event_again_is_a_duplicate_and_no_new_event(gw: Served) -> None:
    first = await gw.post(id="mine-1", text="a")
    again = await gw.post(id="mine-1", text="a")
    assert (first["duplicate"], again["duplicate"], again["id"]) == (False, True, "mine-1")
    assert len((await gw.get("/events"))["items"]) == 1


async def test_the_same_id_with_other_content_is_kept_and_flagged(gw: Served) -> None:
    await gw.post(id="mine-1", text="a")
    other = await gw.post(id="mine-1", text="b")
    assert other["duplicate"] is False
    assert "id_reused" in (await gw.get(f"/events/{other['id']}"))["flags"]


@pytest.mark.parametrize(
    ("body", "status", "part", "field"),
    [
        (b'{"kind": "motion"}', 422, "device_id", ""),
        (b'{"kind": "motion", "device_id": "a", "battery": "full"}', 422, "battery", "battery"),
        (b'{"kind": "motoin", "device_id": "a"}', 422, "kind", "kind"),
        (b'{"kind": "motion", "device_id": "a", "colour": 1}', 422, "colour", ""),
        (b'{"kind": "motion", "device_id": "a", "actors": [{"class": "cat"}]}', 422, "class", "actors[0].class"),
        (b"[" * 100_000, 422, "object", ""),
        (b'{"kind": ' + b'{"a":' * 100_000, 422, "str", "kind"),
        (b'{"kind": "motion", "device_id": "\xff"}', 400, "JSON", ""),
        (b'{"kind": "motion", "device_id": "d1", "text": "\\ud800"}', 400, "JSON", ""),
        (b"", 400, "JSON", ""),
    ],
)
async def test_a_bad_event_is_refused_with_the_place(
    gw: Served, body: bytes, status: int, part: str, field: str
) -> None:
    found, problem = await send(gw, body)
    assert (found, problem["status"]) == (status, status)
    assert part in problem["detail"]
    assert problem.get("field", "") == field


async def test_malformed_json_names_its_line(gw: Served) -> None:
    status, problem = await send(gw, b'{\n"kind": "motion",\n"device_id": oops}')
    assert (status, problem["line"]) == (400, 3)
    assert "line 3, column 14" in problem["detail"]


async def test_other_content_types_and_encodings_are_refused(gw: Served) -> None:
    assert (await send(gw, b"<event/>", "text/xml"))[0] == 415
    assert (await send(gw, b"{}", "application/json", **{"content-encoding": "gzip"}))[0] == 415


async def test_too_large_is_refused_before_and_while_it_arrives(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(json=1000)) as gw:
        assert (await send(gw, motion(text="x" * 990)))[0] == 413

        async def trickle() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield b" " * 100

        async with gw.http.post(PATH, data=trickle(), headers={"content-type": "application/json"}) as answer:
            assert answer.status == 413


async def test_a_body_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(body_s=0.05)) as gw:
        stop = asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            yield b"{"
            await stop.wait()

        async with gw.http.post(PATH, data=stuck(), headers={"content-type": "application/json"}) as answer:
            assert answer.status == 408
        stop.set()


async def test_all_bodies_together_are_bounded(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(buffered=500)) as gw:
        assert (await send(gw, motion(text="x" * 600)))[0] == 429
        assert (await send(gw, motion()))[0] == 202, "what was refused no longer counts"


def form(event: Any, *photos: bytes, name: str = "photo") -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("event", json.dumps(event), content_type="application/json")
    for photo in photos:
        data.add_field(name, photo, content_type="image/jpeg", filename="p.jpg")
    return data


async def test_photos_in_parts_and_in_the_json_come_back_byte_for_byte(gw: Served) -> None:
    inside, beside = picture(64, 48), picture(96, 48) + b"\r\n--not-a-boundary\r\n"
    event = motion(photos=[{"content_type": "image/jpeg", "data": base64.b64encode(inside).decode()}])
    status, taken = await send(gw, form(event, beside))
    assert status == 202
    for n, expected in ((1, inside), (2, beside)):
        async with gw.http.get(f"{PATH}/{taken['id']}/photos/{n}") as answer:
            assert await answer.read() == expected
            assert answer.content_type == "image/jpeg"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"].startswith("private")


async def test_a_refused_photo_is_named_and_the_event_kept(gw: Served) -> None:
    status, taken = await send(gw, form(motion(), b"GIF89a", picture(64, 48)))
    assert status == 202
    assert [refused["n"] for refused in taken["photos_refused"]] == [1]
    assert len((await gw.get(f"/events/{taken['id']}"))["photos"]) == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (form(motion(), b"x", name="video"), 422),
        (b"--b\r\nnonsense", 400),
        (b'--b\r\ncontent-disposition: form-data; name="event"\r\n\r\n{}', 400),
        (b'--b\r\ncontent-disposition: form-data; name="photo"\r\n\r\nx\r\n--b--\r\n', 422),
        (b"--b\r\n" + b"x: y\r\n" * 50 + b"\r\n\r\n--b--\r\n", 400),
        (b"--b\r\n" + b"\r\n\r\n--b\r\n" * 50, 413),
    ],
)
async def test_bad_multipart_is_refused(gw: Served, data: Any, status: int) -> None:
    assert (await send(gw, data, "multipart/form-data; boundary=b"))[0] == status


def lines(*events: Any) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in events) + b"\n"


NDJSON = "application/x-ndjson"


async def test_of_many_lines_the_good_are_kept_and_the_bad_named(gw: Served) -> None:
    body = lines(
        motion(id="a"), b"{oops", motion(id="b"), b"", motion(id="a"), {"kind": "fire"}, motion(photos=[{"data": ""}])
    )
    status, answer = await send(gw, body, NDJSON)
    assert status == 202
    assert (answer["accepted"], answer["duplicates"]) == (2, 1)
    assert [refused["line"] for refused in answer["refused"]] == [2, 6, 7]
    assert "device_id" in answer["refused"][1]["reason"]
    assert len((await gw.get("/events"))["items"]) == 2


async def test_too_many_lines_are_refused_whole(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(ndjson_lines=3)) as gw:
        assert (await send(gw, lines(*[motion()] * 4), NDJSON))[0] == 413
        assert (await send(gw, lines(*[motion()] * 3), NDJSON))[1]["accepted"] == 3
        assert len((await gw.get("/events"))["items"]) == 3


async def test_ten_thousand_lines_are_all_kept(gw: Served) -> None:
    status, answer = await send(gw, lines(*(motion(id=f"e{n}", kind="routine_check") for n in range(10_000))), NDJSON)
    assert (status, answer["accepted"], answer["refused"]) == (202, 10_000, [])
    assert (await send(gw, lines(motion(id="e9999", kind="routine_check")), NDJSON))[1]["duplicates"] == 1


async def test_a_closed_intake_takes_nothing_and_says_when_to_come_again(gw: Served) -> None:
    gw.gateway.intake.open = False
    for body, kind in ((json.dumps(motion()).encode(), "application/json"), (lines(motion()), NDJSON)):
        async with gw.http.post(PATH, data=body, headers={"content-type": kind}) as answer:
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
    async with gw.http.get("/readyz") as answer:
        assert answer.status == 503
    assert (await gw.get("/events"))["items"] == []


async def test_when_the_intake_closes_on_the_way_the_rest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path, limits=Limits(ndjson_chunk=2)) as gw:
        door, accept_many = gw.gateway.intake, gw.gateway.intake.accept_many

        async def closes_afterwards(submissions: Any) -> Any:
            taken = await accept_many(submissions)
            door.open = False
            return taken

        monkeypatch.setattr(door, "accept_many", closes_afterwards)
        status, answer = await send(gw, lines(*(motion(id=f"e{n}") for n in range(5))), NDJSON)
        assert (status, answer["accepted"]) == (202, 2)
        assert [refused["line"] for refused in answer["refused"]] == [3]
        assert "send them again" in answer["refused"][0]["reason"]


async def test_late_actors_and_photos_release_what_waited(tmp_path: Path) -> None:
    async with served(tmp_path, [member(Station("arc"))]) as gw:
        taken = await gw.post(classification="pending", photos_expected=1)
        assert await gw.states(taken["id"]) == {"arc": "held"}
        patch = {"actors": [{"class": "person"}], "classification": "done"}
        async with gw.http.patch(f"{PATH}/{taken['id']}", json=patch) as answer:
            assert (await answer.json())["actors"][0]["class"] == "person"
        data = aiohttp.FormData()
        data.add_field("photo", picture(64, 48), content_type="image/jpeg", filename="p.jpg")
        async with gw.http.post(f"{PATH}/{taken['id']}/photos", data=data) as answer:
            assert (answer.status, await answer.json()) == (202, {"photos": 1, "photos_refused": []})
        await gw.settles(taken["id"], "arc", "delivered")


async def test_late_additions_to_nothing_are_refused(gw: Served) -> None:
    async with gw.http.patch(f"{PATH}/nothing", json={}) as answer:
        assert answer.status == 404
    async with gw.http.post(f"{PATH}/nothing/photos", data=form(motion(), b"x")) as answer:
        assert answer.status == 404
    taken = await gw.post()
    async with gw.http.post(f"{PATH}/{taken['id']}/photos", json={}) as answer:
        assert answer.status == 415


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_nearly = st.fixed_dictionaries(
    {"kind": st.just("motion") | _json, "device_id": st.just("d1") | _json},
    optional=dict.fromkeys(("id", "occurred_at", "actors", "text", "url", "code", "photos", "location"), _json),
).map(lambda event: json.dumps(event).encode())
_bodies = st.binary(max_size=300) | _nearly | st.lists(_nearly, max_size=4).map(b"\n".join)
_parts = st.binary(max_size=200).map(lambda body: b'--b\r\ncontent-disposition: form-data; name="event"\r\n\r\n' + body)
_kinds = st.sampled_from(["application/json", NDJSON, "multipart/form-data; boundary=b", "multipart/form-data", "x/y"])


def test_any_bytes_are_taken_or_refused_but_never_break(tmp_path: Path) -> None:
    """The server lives through all examples: what one of them breaks, the next one shows."""
    with asyncio.Runner() as runner:
        serving = served(tmp_path)
        gw = runner.run(serving.__aenter__())

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(_bodies | _parts, _kinds)
        def holds(body: bytes, kind: str) -> None:
            status, answer = runner.run(send(gw, body, kind))
            assert status == 202 or (400 <= status < 500 and answer["detail"]), (status, answer)

        try:
            holds()
        finally:
            runner.run(serving.__aexit__(None, None, None))
        assert not [one for one in gw.occurrences if type(one).__name__ == "TaskFailed"]


async def test_a_deadline_that_passes_inside_is_not_taken_for_a_body_that_did_not_arrive() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)

    async def taken() -> None:
        async with Buffers(Limits()).body(request, 100) as body:
            raise TimeoutError(f"over {len(body)} bytes")

    with pytest.raises(TimeoutError):
        await taken()
