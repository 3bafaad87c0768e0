"""One upload as a process of its own, with the gateway's store as its journal; it goes on where the journal stands.

`python -m blobkit.uploading FOLDER FILE URI BLOCK_SIZE [FREEZE_AT]`: one JSON line for every state that is kept and at
the end. It stops itself, as SIGSTOP does, once the journal has so many blocks.
"""

import asyncio
import json
import os
import random
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from msgspec.structs import replace

from blobkit.journals import job_file, place
from tocsin.engine.clock import LoopClock
from tocsin.evidence.contracts import Fenced, NotNow, PlaceExpired, StartOver
from tocsin.evidence.sealing import machine_key
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.evidence import Job, JobFile
from tocsin.store.contract import Store
from tocsin.store.open import open_store

BEGUN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
JOB = Job(
    id="job-1", agent="city", registry_id="r-1", type="mediarequest", state="fetching", seen_at=BEGUN, updated_at=BEGUN
)  # fmt: skip


def tell(**line: object) -> None:
    print(json.dumps(line), flush=True)


class StoreJournal:
    def __init__(self, store: Store, freeze_at: int) -> None:
        self._store = store
        self._freeze_at = freeze_at

    async def keep(self, file: JobFile) -> None:
        await self._store.keep_file(file)
        stored = file.upload.next if file.upload else 0
        tell(state=file.state, next=stored)
        if self._freeze_at and stored >= self._freeze_at:
            self._freeze_at = 0
            os.kill(os.getpid(), signal.SIGSTOP)

    def stored(self, done: int, expected: int) -> None:
        tell(stored=done)


async def upload(folder: Path, file: Path, uri: str, block_size: int, freeze_at: int) -> str:
    """How it ended; unsure when the answer to the commit was lost and only the registry can tell."""
    store = open_store(folder / "tocsin.db")
    await store.open()
    secrets, clock = os.urandom, LoopClock()
    uploader = Uploader(
        UploadOptions(stall_s=10.0), machine_key(folder, {}, secrets), secrets, clock, random.SystemRandom()
    )
    journal = StoreJournal(store, freeze_at)
    try:
        known = await store.job_files(JOB.id)
        if not known:
            begun = replace(uploader.begin(file, place(uri), clock.now()), block_size=block_size)
            await store.keep_job(JOB, [job_file(upload=begun, state="uploading")])
            known = await store.job_files(JOB.id)
        done = await uploader.carry_out(file, known[0], journal, lambda: None)
    except (Fenced, NotNow, PlaceExpired, StartOver) as error:
        return type(error).__name__
    finally:
        await uploader.aclose()
        await store.aclose()
    return "Uploaded" if done.sure else "Unsure"


def main(folder: str, file: str, uri: str, block_size: str, freeze_at: str = "0") -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tell(ended=runner.run(upload(Path(folder), Path(file), uri, int(block_size), int(freeze_at))))


if __name__ == "__main__":
    main(*sys.argv[1:])
