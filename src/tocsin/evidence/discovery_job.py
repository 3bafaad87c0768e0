"""A discovery job: which devices there are, unless suspiciously many are gone (clearance.md 8.2)."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from tocsin.evidence.contracts import NotNow
from tocsin.evidence.discovery import shrunk
from tocsin.evidence.journal import AgentJournal
from tocsin.evidence.small_result import Made
from tocsin.telemetry.occurrences import Trouble
from tocsin.telemetry.record import Recorder

LOOKED_BACK = 200


class DeviceList(Struct, frozen=True):
    """The devices as a document, and how many."""

    data: bytes
    count: int


class Discovering:
    """`accept` lets the next list be as short as it is."""

    def __init__(
        self, agent: str, list_devices: Callable[[], Awaitable[DeviceList]], journal: AgentJournal, record: Recorder
    ) -> None:
        self._agent = agent
        self._list = list_devices
        self._journal = journal
        self._record = record
        self._accepted = False

    def accept(self) -> None:
        self._accepted = True

    async def make(self) -> Made:
        """Raises NotNow."""
        listed, before = await self._list(), await self._before()
        if not listed.count:
            self._refuse("no camera is shared: choose areas in shared_areas, or no system has been read yet")
        if shrunk(before, listed.count) and not self._accepted:
            self._refuse(
                f"{listed.count} devices are there, the last discovery had {before}: a system may be off. To tell the "
                "registry all the same: tocsin evidence accept"
            )
        self._accepted = False
        return Made("discovery.json", "application/json", listed.data, "inventory of this gateway", listed.count)

    async def _before(self) -> int:
        jobs = await self._journal.recent(LOOKED_BACK)
        return next((job.devices for job in jobs if job.outcome == "Completed" and job.devices), 0)

    def _refuse(self, reason: str) -> None:
        self._record(Trouble(f"evidence {self._agent}", reason))
        raise NotNow(reason)
