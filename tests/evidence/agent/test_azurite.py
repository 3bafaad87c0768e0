"""The agent against Microsoft's emulator of the storage, read back by the stand-in registry."""

import base64
import hashlib
from pathlib import Path

from agentkit.recordings import content, span
from tests.azurite import ACCOUNT, KEY, azurite, needs_azurite

from tocsin.standins.clearance.standin import Storage


@needs_azurite
async def test_a_request_of_many_blocks_lands_in_azurite(scene, tmp_path: Path):
    (tmp_path / "azurite").mkdir()
    with azurite(tmp_path / "azurite") as server:
        one = await scene(storage=Storage(f"http://127.0.0.1:{server.port}/{ACCOUNT}", base64.b64decode(KEY)))
        one.recordings.bytes_per_s = 300_000
        job = one.media_request(50)
        async with one.working():
            assert await one.job_ended(job) == "completed"
    (file,) = job.files
    assert file.check["sha256"] == hashlib.sha256(content("cam", span(0, 50), 300_000)).hexdigest()
