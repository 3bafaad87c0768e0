"""The wire profile, and what is read and written by it (clearance.md 6)."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.evidence.registry.profile import (
    OPERATIONS,
    ProfileInvalid,
    assumed_text,
    load_profile,
    read_profile,
)
from tocsin.evidence.registry.wire import (
    Unreadable,
    read_jobs,
    read_lock,
    read_place,
    service_addresses,
    written_body,
    written_path,
)

PROFILE = load_profile()
MEDIA = {"id": "j1", "type": "mediarequest", "deviceId": "cam", "startTimeUtc": "2026-03-04T08:00:00Z",
         "endTimeUtc": "2026-03-04T09:00:00Z"}  # fmt: skip
PLACE = {"fileId": "f1", "jsonWebKey": {"kty": "RSA"}, "uri": "https://x.blob.example.net/c/b?sig=secret"}


def jobs(*items):
    return read_jobs(PROFILE, json.dumps(items).encode())


def test_the_assumed_profile_is_the_table_of_the_specification():
    calls = {name: f"{call.method} {call.path}" for name, call in PROFILE.ops.items()}
    assert calls == {
        "get_jobs": "GET /agent/{agent}/job",
        "lock": "POST /agent/{agent}/job/{job}/lock",
        "renew": "POST /agent/{agent}/job/{job}/lock/renew",
        "update": "PUT /agent/{agent}/job/{job}/progress",
        "initialize_upload": "POST /agent/{agent}/job/{job}/file",
        "complete_media": "POST /agent/{agent}/job/{job}/file/{file}/completemedia",
        "complete_discovery": "POST /agent/{agent}/job/{job}/file/{file}/completediscovery",
        "complete_thumbnail": "POST /agent/{agent}/job/{job}/file/{file}/completethumbnail",
        "complete": "POST /agent/{agent}/job/{job}/complete",
        "cancel": "POST /agent/{agent}/job/{job}/cancel",
        "release": "POST /agent/{agent}/job/{job}/release",
    }
    assert list(PROFILE.ops["update"].body) == ["taskProgress", "taskTotal"]
    assert list(PROFILE.ops["initialize_upload"].body) == ["name", "mimeType", "startTimeUtc", "endTimeUtc", "deviceId"]
    assert PROFILE.fields["lock.expires"] == ("lockExpiration", "expirationTimeUtc", "expiration", "expiresAt")
    assert sorted(PROFILE.status.not_mine) == [403, 404, 409, 410, 412, 423]
    assert PROFILE.base == "{ApiBase}/agentservice/api/v1/tenant/{tenant}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"PUT"', '"TRACE"', "Invalid enum value"),
        ("/agent/{agent}/job/{job}/lock", "/x/{jobId}/lock", "{jobId} has no meaning there"),
        ("/agent/{agent}/job/{job}/cancel", "cancel", "begins with a slash"),
        ('"progress"', '"percent"', "none of our words"),
        ('"job.id" = ', '"job.name" = ', "fields.job.id is missing"),
        ("[ops.release]", "[ops.let_go]", "ops.release is missing"),
        ("auth = [401]", "auth = [401, 404]", "404 is no status or stands under"),
        ('minimal = ["name", ', 'minimal = ["title", ', "title is not in its body"),
        ('base = "{ApiBase}', 'base = "http://x', "base begins with"),
        ('"{ServicePrincipalId}"', '"{ServicePrincipalId"', "a brace without its partner"),
        ("[extra_headers]", '[extra_headers]\n"X:Y" = "1"', "is no header"),
        ("task_total = 1000", "task_total = 0", "task_total"),
        ("task_total = 1000", "tasks = 1000", "unknown field"),
        ("[ops.get_jobs]", "[ops.get_jobs", "Expected"),
    ],
)
def test_a_profile_that_cannot_work_is_refused_with_the_place(old, new, said):
    assert old in assumed_text()
    with pytest.raises(ProfileInvalid, match=said.replace("{", r"\{").replace("}", r"\}")):
        read_profile(assumed_text().replace(old, new, 1))


def test_a_profile_in_json_and_one_from_a_file(tmp_path):
    file = tmp_path / "p.json"
    file.write_bytes(msgspec.json.encode(PROFILE))
    assert load_profile(str(file)) == PROFILE
    with pytest.raises(ProfileInvalid, match="cannot be read: No such file"):
        load_profile(str(tmp_path / "none.toml"))


def test_a_job_as_it_should_be_with_seven_digits_and_other_spellings():
    (one,) = jobs({**MEDIA, "created": "2026-03-04T07:00:00.1234564Z", "approvedBy": "eva", "new": {"x": None}})
    assert (one.registry_id, one.type, one.device, one.approved_by) == ("j1", "mediarequest", "cam", "eva")
    assert one.created_at == datetime(2026, 3, 4, 7, 0, 0, 123456, tzinfo=UTC)
    assert one.end - one.start == timedelta(hours=1)
    assert json.loads(bytes(one.received))["new"] == {"x": None}
    (two,) = jobs({"JOBID": 7, "JobType": "MediaRequest", "cameraid": "c", "FROM": "2026-03-04T10:00:00+02:00",
                   "to": "2026-03-04T09:00:00"})  # fmt: skip
    assert (two.registry_id, two.type, two.device) == ("7", "mediarequest", "c")
    assert (two.start.hour, two.end.hour, two.start.tzinfo) == (8, 9, UTC)


def test_jobs_come_as_a_list_or_within_an_object_or_not_at_all():
    assert len(read_jobs(PROFILE, json.dumps({"Items": [MEDIA]}).encode())) == 1
    assert read_jobs(PROFILE, b"[]") == read_jobs(PROFILE, b"") == []
    with pytest.raises(
        Unreadable, match=r"no list of jobs: jobs is missing \(looked for jobs, items, value\); there is"
    ):
        read_jobs(PROFILE, b'{"data": [], "count": 0}')


def test_a_missing_field_is_the_profiles_fault_an_empty_one_the_jobs():
    """Else a wrong profile would make an end of every job there is."""
    without = {name: value for name, value in MEDIA.items() if name != "deviceId"}
    (missing,) = jobs({**without, "camera": {"Guid": "secret value"}})
    assert missing.problem == (
        "a job of type mediarequest: media.device is missing (looked for deviceId, cameraId, externalId); there is "
        "id, type, startTimeUtc, endTimeUtc, camera, camera.Guid"
    )
    (empty,) = jobs({**MEDIA, "deviceId": None, "startTimeUtc": "0001-01-01T00:00:00"})
    assert (empty.problem, empty.device, empty.start) == ("", "", None)


def test_jobs_without_id_or_with_a_foreign_type_are_left_alone():
    assert [one.problem[:28] for one in jobs({"type": "discovery"}, {"id": "1", "type": "purge"}, 5)] == [
        "a job: job.id is missing (lo",
        "a job of a type the profile ",
        "a job: job.id is missing (lo",
    ]


def test_locks():
    assert read_lock(PROFILE, b"").expires is None
    assert read_lock(PROFILE, b'{"expiresAt": null, "lockToken": "t"}').token == "t"
    said = read_lock(PROFILE, b'{"LockExpiration": "2017-09-15T13:55:50.2774484Z"}')
    assert said.expires == datetime(2017, 9, 15, 13, 55, 50, 277448, tzinfo=UTC)


def test_places():
    assert read_place(PROFILE, json.dumps(PLACE).encode()).file_id == "f1"
    as_text = {"id": 5, "key": '{"kty":"RSA"}', "sasUri": "https://x"}
    assert read_place(PROFILE, json.dumps(as_text).encode()).key == {"kty": "RSA"}
    with pytest.raises(Unreadable) as raised:
        read_place(PROFILE, json.dumps({**PLACE, "jsonWebKey": "no key"}).encode())
    assert "upload.key is missing" in str(raised.value)
    assert "sig=" not in str(raised.value)


def test_what_is_written():
    path = written_path(PROFILE, PROFILE.ops["complete_media"], "t 1", "sp", "a/b", "f?")
    assert path == "/agentservice/api/v1/tenant/t%201/agent/sp/job/a%2Fb/file/f%3F/completemedia"
    at = datetime(2026, 3, 4, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    words = {"name": "x", "mime": "video/mp4", "start": at, "end": None, "device": "", "size": 5}
    call = PROFILE.ops["initialize_upload"]
    assert (
        written_body(call, words) == b'{"name":"x","mimeType":"video/mp4","startTimeUtc":"2026-03-04T08:00:00.000000Z"}'
    )
    assert written_body(call, words, minimal=True) == b'{"name":"x","mimeType":"video/mp4"}'
    assert written_body(PROFILE.ops["update"], {"progress": 0, "total": 1000}) == b'{"taskProgress":0,"taskTotal":1000}'
    assert written_body(PROFILE.ops["renew"], {"lock_token": ""}) == b"{}"
    elsewhere = read_profile(assumed_text().replace("{ApiBase}/agentservice", "https://agents.example.net/v9"))
    assert service_addresses(elsewhere, ("https://api",)) == ("https://agents.example.net",)
    assert written_path(elsewhere, elsewhere.ops["get_jobs"], "t", "sp") == "/v9/api/v1/tenant/t/agent/sp/job"


TEXT = st.text(max_size=20) | st.sampled_from(["id", "type", "deviceId", "2026-03-04T08:00:00Z", "thumbnail", "uri"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=6),
    max_leaves=20,
)


@given(ANY)
def test_any_json_is_a_value_or_unreadable(value):
    body = json.dumps(value).encode()
    for read in (read_jobs, read_lock, read_place):
        try:
            found = read(PROFILE, body)
        except Unreadable as error:
            assert str(error).isprintable()
            continue
        for one in found if read is read_jobs else []:
            assert one.type is None or one.problem or one.registry_id
            assert msgspec.json.encode(one)


def test_every_operation_is_called_by_somebody():
    assert set(OPERATIONS) == set(PROFILE.ops)
