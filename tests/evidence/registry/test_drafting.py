"""A profile drafted from an OpenAPI document is one that can be read, and says where to look."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.evidence.registry.drafting import DocumentUnreadable, draft
from tocsin.evidence.registry.profile import read_profile


def schema(*names, **nested):
    members = {name: {"type": "string"} for name in names} | nested
    return {"type": "object", "properties": members}


def call(title, body=None, answer=None, **more):
    told = {"operationId": title, "responses": {"200": {"content": {"application/json": {"schema": answer or {}}}}}}
    if body:
        told["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return told | more


ROOT = "/agentservice/api/v2/accounts/{accountId}/agents/{agentId}/jobs"
DOCUMENT = {
    "openapi": "3.0.1",
    "components": {"schemas": {"Job": schema("jobId", "jobType", mediaRequest=schema("cameraId", "from", "to"))}},
    "paths": {
        "/agentservice/api/v2/accounts/{accountId}/agents/{agentId}/jobs": {
            "get": call("GetAvailableJobs", answer={"type": "array", "items": {"$ref": "#/components/schemas/Job"}})
        },
        ROOT + "/{jobId}": {"get": call("GetJob")},
        ROOT + "/{jobId}/lock": {"put": call("LockJob", answer=schema("expiresAt", "lockToken"))},
        ROOT + "/{jobId}/lock/extend": {"put": call("RenewLock", schema("lockToken"))},
        ROOT + "/{jobId}/progress": {"patch": call("UpdateJob", schema("taskProgress", "taskTotal"))},
        ROOT + "/{jobId}/files": {
            "post": call("InitializeUpload", schema("fileName", "contentType", "purpose"), schema("fileId", "sasUri"))
        },
        ROOT + "/{jobId}/files/{fileId}/media": {"post": call("CompleteMedia", schema("sha256"))},
        ROOT + "/{jobId}/files/{fileId}/discovery": {"post": call("CompleteDiscovery")},
        ROOT + "/{jobId}/files/{fileId}/thumbnail": {"post": call("CompleteThumbnail")},
        ROOT + "/{jobId}/complete": {"post": call("CompleteJob", schema("jobState", "reason"))},
        ROOT + "/{jobId}/cancel": {"post": call("CancelJob")},
        ROOT + "/{jobId}/release": {"post": call("ReleaseJob")},
    },
}


def test_paths_verbs_bodies_and_fields_are_found():
    text = draft(json.dumps(DOCUMENT).encode())
    profile = read_profile(text)
    assert profile.base == "{ApiBase}/agentservice/api/v2/accounts/{tenant}"[: len(profile.base)]
    calls = {
        name: (call.method, (profile.base + call.path).removeprefix("{ApiBase}")) for name, call in profile.ops.items()
    }
    jobs = "/agentservice/api/v2/accounts/{tenant}/agents/{agent}/jobs"
    assert calls == {
        "get_jobs": ("GET", jobs),
        "lock": ("PUT", f"{jobs}/{{job}}/lock"),
        "renew": ("PUT", f"{jobs}/{{job}}/lock/extend"),
        "update": ("PATCH", f"{jobs}/{{job}}/progress"),
        "initialize_upload": ("POST", f"{jobs}/{{job}}/files"),
        "complete_media": ("POST", f"{jobs}/{{job}}/files/{{file}}/media"),
        "complete_discovery": ("POST", f"{jobs}/{{job}}/files/{{file}}/discovery"),
        "complete_thumbnail": ("POST", f"{jobs}/{{job}}/files/{{file}}/thumbnail"),
        "complete": ("POST", f"{jobs}/{{job}}/complete"),
        "cancel": ("POST", f"{jobs}/{{job}}/cancel"),
        "release": ("POST", f"{jobs}/{{job}}/release"),
    }
    assert profile.ops["initialize_upload"].body == {"fileName": "name", "contentType": "mime"}
    assert profile.ops["complete"].body == {"jobState": "state", "reason": "message"}
    assert profile.fields["media.device"][0] == "mediaRequest.cameraId"
    assert profile.fields["upload.uri"][0] == "sasUri"
    assert "it also takes purpose" in text
    assert '"upload.key" = ["jsonWebKey", "key"]  # ? not seen; there is fileId, sasUri' in text


@pytest.mark.parametrize("data", [b"", b"openapi: 3.0", b"[]", b'{"paths": []}', b'{"paths": {}}', b"[" * 100_000])
def test_what_is_no_document(data):
    with pytest.raises(DocumentUnreadable):
        draft(data)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["get", "schema", "properties", "$ref", "items"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=12), st.dictionaries(st.sampled_from(["get", "post"]), ANY), max_size=4))
def test_any_document_is_a_draft_or_none(paths):
    with contextlib.suppress(DocumentUnreadable):
        assert "[ops.get_jobs]" in draft(json.dumps({"paths": paths}).encode())
