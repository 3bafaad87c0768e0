"""Any answer of a registry is a value or Unreadable told in one line; what is foreign is named, never quoted: as
assumed, and under a profile whose names lead into objects.
"""

import msgspec

from tocsin.evidence.registry.profile import assumed_text, load_profile, read_profile
from tocsin.evidence.registry.wire import Unreadable, read_jobs, read_lock, read_place

PROFILES = (
    load_profile(),
    read_profile(
        assumed_text()
        .replace('"job.id" = ["id", ', '"job.id" = ["job.key.id", ')
        .replace('"media.start" = [', '"media.start" = ["range.from", ')
        .replace('"upload.uri" = [', '"upload.uri" = ["place.blob.uri", ')
    ),
)
SEEDS = (
    b'\0[{"id":"1","type":"mediarequest","deviceId":"c","startTimeUtc":"2026-03-04T08:00:00.1234567Z","endTimeUtc":null}]',
    b'\0{"items":[{"jobId":7,"jobType":"Thumbnail","x":{"y":{"z":[]}}}]}',
    b'\1{"lockExpiration":"0001-01-01T00:00:00","lockId":"t"}',
    b'\3[{"job":{"key":{"id":"1"}},"jobType":"media","cameraId":5,"range":{"from":"2026-03-04T08:00:00"},"to":""}]',
    b'\5{"fileId":"f","key":"{}","place":{"blob":{"uri":"https://x/y?sig=z"}}}',
    b'\2{"fileId":"f","jsonWebKey":{"kty":"RSA","n":"AQAB"},"uri":"https://x/y?sig=z"}',
)


def one(data: bytes) -> None:
    read = (read_jobs, read_lock, read_place)[data[0] % 3] if data else read_jobs
    profile = PROFILES[data[0] // 3 % 2] if data else PROFILES[0]
    try:
        found = read(profile, data[1:])
    except Unreadable as error:
        assert str(error).isprintable()
        return
    assert msgspec.json.encode(found)
    if read is read_jobs:
        for job in found:
            assert job.problem.isprintable()
            assert job.problem or (job.registry_id and job.type)
