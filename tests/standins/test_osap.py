"""What the stand-in OSAP server refuses, by the draft's own schema and example."""

import json
from typing import Any

import pytest

from tocsin.standins.osap import read_message

EXAMPLE: dict[str, Any] = {
    "envelope": {
        "id": "5f0c2f0e-6a51-4c0b-8a43-0d7a5b1f9c11", "ts": "2026-03-04T05:06:10Z",
        "producer": {"vendor": "example", "product": "alarm-gateway", "version": "0.1.0", "instance_id": "gw-1"},
        "correlation": {"site_id": "12345", "area_id": "01", "device_id": "01AD2DD41C0000C1", "sensor_id": "3"},
    },
    "event": {
        "schema": "osap.v1.vds-style", "category": "intrusion", "code": "VDS-1100", "qualifier": "ALARM", "severity": 7,
        "status": "NEW", "text": "Person, North gate, Detector 2A41", "occurrence_ts": "2026-03-04T05:06:07Z",
    },
    "attachments": [
        {"id": "1", "kind": "image", "mime_type": "image/jpeg", "encoding": "base64", "data": "/9j/4AAQSkZJRg==",
         "captured_ts": "2026-03-04T05:06:07Z", "meta": {"camera": "3"}}
    ],
    "delivery": {"retry": {"attempts": 0}},
}  # fmt: skip


def problems(**event: Any) -> str:
    return "; ".join(read_message(json.dumps({**EXAMPLE, "event": {**EXAMPLE["event"], **event}}).encode())[1])


def test_the_drafts_example_is_taken() -> None:
    found, wrong = read_message(json.dumps(EXAMPLE).encode())
    assert wrong == []
    assert (found["event"]["code"], found["pictures"][0]["bytes"]) == ("VDS-1100", 10)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"category": "medical"}, "category"),
        ({"qualifier": "PANIC"}, "qualifier"),
        ({"severity": 11}, "severity"),
        ({"severity": "7"}, "severity"),
        ({"status": "OPEN"}, "status"),
        ({"occurrence_ts": "4.3.2026"}, "is no time"),
        ({"text": "x" * 2049}, "text is too long"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], part: str) -> None:
    assert part in problems(**changes)


def test_attachments_are_looked_at() -> None:
    for attachment, part in (
        ({"id": "1", "kind": "image", "mime_type": "image/jpeg", "data": "?"}, "no base64"),
        ({"id": "1", "kind": "image", "mime_type": "image/jpeg", "encoding": "none"}, "neither data nor url"),
        ({"id": "1", "kind": "photo", "mime_type": "image/jpeg"}, "kind"),
    ):
        assert part in "; ".join(read_message(json.dumps({**EXAMPLE, "attachments": [attachment]}).encode())[1])
    assert read_message(b"{}")[1]
    assert read_message(b"\xff")[1]
