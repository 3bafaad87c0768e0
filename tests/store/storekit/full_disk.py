"""Run by itself: a store whose files may grow no further for a while. Prints what it saw as JSON.

python full_disk.py DATABASE
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from storekit.values import arrival
from storekit.watching import SeenWatch
from tocsin.store.contract import StoreUnavailable
from tocsin.store.open import open_store


async def main(path: str) -> None:
    watch = SeenWatch()
    store = open_store(path, watch)
    await store.open()
    acknowledged: list[str] = []

    async def accept(n: int) -> bool:
        try:
            await store.accept([arrival(f"E{n}", text="x" * 20_000)])
        except StoreUnavailable:
            return False
        acknowledged.append(f"E{n}")
        return True

    await accept(0)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + "-wal") + 100_000, hard))
    tried = 1
    while await accept(tried):
        tried += 1
    refused_meanwhile = not await accept(tried)
    writable_meanwhile = store.writable()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await asyncio.wait_for(watch.back.wait(), 30)
    await accept(tried)  # what was in doubt is asked again
    await accept(tried + 1)
    await store.aclose()
    seen = {
        "acknowledged": acknowledged,
        "refused_meanwhile": refused_meanwhile,
        "writable_meanwhile": writable_meanwhile,
        "downs": watch.downs,
        "backs": len(watch.backs),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
