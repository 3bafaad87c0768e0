"""One file into a blob, as a process: by the evidence agent's uploader, or by Azure's own library without encryption.

`python -m benchmarks.blob_sender ours|azure --file F --uri U [--folder D] [--checked]`: with a folder, its store is
the journal and the upload goes on where it stands; checked: Azure's library sends a checksum with each block. Prints
how much is stored, and at the end one JSON line.
"""

import argparse
import asyncio
import json
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from tocsin.engine.clock import LoopClock
from tocsin.evidence.asking import NoWatch
from tocsin.evidence.contracts import Place
from tocsin.evidence.sealing import machine_key
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.evidence import Job, JobFile
from tocsin.store.contract import Store
from tocsin.store.open import open_store

BLOCK = 4 * 1024 * 1024
UPLOADERS = 4


def memory_mb(key: str) -> float:
    """Of this process: VmRSS now, VmHWM its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


class Counting(NoWatch):
    def __init__(self) -> None:
        self.sent = 0

    def block_stored(self, size: int, tries: int) -> None:
        self.sent += size * tries


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, file: JobFile) -> None:
        await self._store.keep_file(file)

    def stored(self, done: int, expected: int) -> None:
        print(json.dumps({"stored": done}), flush=True)


async def ours(file: Path, uri: str, folder: Path) -> dict[str, Any]:
    store, watch, now = open_store(folder / "tocsin.db"), Counting(), datetime.now(UTC)
    await store.open()
    key = machine_key(folder, {}, os.urandom)
    options = UploadOptions(uploaders=UPLOADERS)
    uploader = Uploader(options, key, os.urandom, LoopClock(), random.Random(1), watch=watch)
    known = await store.job_files("j")
    if not known:
        upload = uploader.begin(file, Place("f", uri, _public_key()), now)
        made = JobFile(job_id="j", attempt=1, number=1, name="clip", mime="video/mp4", state="init", upload=upload)
        job = Job(
            id="j", agent="a", registry_id="r", type="mediarequest", state="fetching", seen_at=now, updated_at=now
        )  # fmt: skip
        await store.keep_job(job, [made])
        known = [made]
    idle_mb, began = memory_mb("VmRSS"), time.perf_counter()
    await uploader.carry_out(file, known[0], Journal(store), lambda: None)
    seconds = time.perf_counter() - began
    await uploader.aclose()
    await store.aclose()
    return {"seconds": seconds, "idle_mb": idle_mb, "peak_mb": memory_mb("VmHWM"), "sent": watch.sent}


def _public_key() -> dict[str, object]:
    from joserfc.jwk import RSAKey

    return {**RSAKey.generate_key(2048).as_dict(private=False), "kid": "bench"}


def azure(file: Path, uri: str, checked: bool) -> dict[str, Any]:
    from azure.storage.blob import BlobClient

    sizes = {"max_block_size": BLOCK, "max_single_put_size": BLOCK}
    with BlobClient.from_blob_url(uri, **sizes) as client, file.open("rb") as content:
        idle_mb, began = memory_mb("VmRSS"), time.perf_counter()
        size = file.stat().st_size
        client.upload_blob(content, length=size, max_concurrency=UPLOADERS, overwrite=True, validate_content=checked)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "idle_mb": idle_mb, "peak_mb": memory_mb("VmHWM")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["ours", "azure"])
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--checked", action="store_true")
    given = parser.parse_args()
    if given.how == "azure":
        found = azure(given.file, given.uri, given.checked)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(ours(given.file, given.uri, given.folder))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
