"""The references: pysiaalarm as a receiver, my-dc09-spt as a panel, apsw alone; each as a process.

`python -m benchmarks.peers pysiaalarm --port P | spt --port P --count N --accounts 64`
"""

import argparse
import asyncio
import json
import logging
import signal
import time

from benchmarks.load import RECEIVER, account_of

ACCOUNTS = 64


async def pysiaalarm_server(port: int) -> None:
    """pysiaalarm's TCP receiver with a user function that only counts."""
    from pysiaalarm import CommunicationsProtocol, SIAAccount
    from pysiaalarm.aio import SIAClient

    events = 0
    last = 0.0
    first = 0.0

    async def count(event: object) -> None:
        nonlocal events, last, first
        events += 1
        last = time.time()
        first = first or last

    accounts = [SIAAccount(account_of(n), allowed_timeband=None) for n in range(ACCOUNTS)]
    client = SIAClient("127.0.0.1", port, accounts, count, protocol=CommunicationsProtocol.TCP)
    await client.async_start()
    print(json.dumps({"port": port}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    print(json.dumps({"events": events, "seconds": last - first, "first": first, "last": last}), flush=True)


def spt(port: int, count: int) -> None:
    """my-dc09-spt: one transmitter per account, each with its own threads, events in its queue in memory."""
    from my_dc09_spt import dc09_spt

    logging.disable(logging.CRITICAL)
    panels = []
    for n in range(ACCOUNTS):
        panel = dc09_spt.dc09_spt(account_of(n), receiver=int(RECEIVER))
        panel.set_path("main", "primary", "127.0.0.1", port, account=account_of(n), receiver=int(RECEIVER))
        panels.append(panel)
    began = time.perf_counter()
    for n in range(count // ACCOUNTS):
        for panel in panels:
            panel.send_msg("SIA-DCS", {"code": "BA", "zone": n % 99 + 1, "area": 1, "text": f"event {n}"})
    while any(panel.queue for panel in panels):
        time.sleep(0.005)
    print(json.dumps({"sent": count // ACCOUNTS * ACCOUNTS, "seconds": time.perf_counter() - began}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=["pysiaalarm", "spt"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, default=0)
    given = parser.parse_args()
    if given.who == "pysiaalarm":
        asyncio.run(pysiaalarm_server(given.port))
    else:
        spt(given.port, given.count)


if __name__ == "__main__":
    main()
