"""Any answer of a registry is a value or Unreadable told in one line; what is foreign is named, never quoted."""

import msgspec

from tocsin.evidence.registry.profile import load_profile
from tocsin.evidence.registry.wire import Unreadable, read_jobs, read_lock, read_place

PROFILE = load_profile()
SEEDS = (
    b'\0[{"id":"1","type":"mediarequest","deviceId":"c","startTimeUtc":"2026-03-04T08:00:00.1234567Z","endTimeUtc":null}]',
    b'\0{"items":[{"jobId":7,"jobType":"Thumbnail","x":{"y":{"z":[]}}}]}',
    b'\1{"lockExpiration":"0001-01-01T00:00:00","lockId":"t"}',
    b'\2{"fileId":"f","jsonWebKey":{"kty":"RSA","n":"AQAB"},"uri":"https://x/y?sig=z"}',
)


def one(data: bytes) -> None:
    read = (read_jobs, read_lock, read_place)[data[0] % 3] if data else read_jobs
    try:
        found = read(PROFILE, data[1:])
    except Unreadable as error:
        assert str(error).isprintable()
        return
    assert msgspec.json.encode(found)
    if read is read_jobs:
        for job in found:
            assert job.problem.isprintable()
            assert job.problem or (job.registry_id and job.type)
