"""Run by itself: accepts and settles without end, and prints each event id once it is acknowledged.

python busy_gateway.py PLACE
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from storekit.values import arrival, outcome, owed
from tocsin.store.open import open_store


async def main(place: str) -> None:
    store = open_store(place)
    await store.open()

    async def source(name: str) -> None:
        for n in range(1_000_000):
            [kept] = await store.accept([arrival(f"{name}{n}", owed("arc"), owed("web"))])
            print(kept.event.id, flush=True)
            if n % 3 == 0:
                await store.settle([outcome(kept.seq, "arc", "delivered")])
                print(f"settled {kept.seq}", flush=True)

    async with asyncio.TaskGroup() as group:
        for name in "ABCDEFGH":
            group.create_task(source(name))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
