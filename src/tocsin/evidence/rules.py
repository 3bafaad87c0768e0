"""What an agent is told by its settings."""

from msgspec import Struct


class AgentRules(Struct, frozen=True):
    """Seconds. `recorder_keeps_s`: after so long recordings are overwritten; None: unknown. `release_on_stop`: let go
    of jobs when the gateway stops; else it goes on with them after its start.
    """

    name: str
    poll_interval_s: float = 15.0
    workers: int = 2
    segment_s: float = 3600.0
    audio: bool = True
    dry_run: bool = False
    recorder_keeps_s: float | None = None
    release_on_stop: bool = False
