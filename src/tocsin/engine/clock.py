"""The gateway's own clock. The simulation brings another."""

import asyncio
from datetime import UTC, datetime


class LoopClock:
    """Wall time from the system, monotonic time from the running loop."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
