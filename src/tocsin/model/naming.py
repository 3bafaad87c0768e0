"""The short name people know a device by. Pure."""

import re

_GUID = re.compile(r"01[0-9A-F]{14}\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9]")


def short_id(device_id: str) -> str:
    """Bytes 3 and 2 of a detector's GUID: `01E211D51A00006B` → `11E2` (stations.md 1.1); of any other id its last eight
    letters and digits.
    """
    if _GUID.match(device_id):
        return device_id[4:6] + device_id[2:4]
    return _UNSAFE.sub("", device_id)[-8:]
