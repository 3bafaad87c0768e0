"""The reading side of the dialogue: which record repeats the one before it (surgard.md 2). Pure."""

from tocsin.protocols.surgard.records import Record

REPEAT_WINDOW_S = 60.0
_MOST_RECEIVERS = 1024


class LastRecords:
    """The last record kept from each receiver. Times are monotonic seconds. Heartbeats come in between and do not
    count. Only what is kept is remembered: a record that could not be stored is new when it comes again.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[bytes, float]] = {}

    def repeats(self, record: Record, now: float) -> bool:
        """Whether it equals the record before it from the same receiver: acknowledge it, and report it no more."""
        raw, at = self._last.get(record.receiver, (b"", 0.0))
        return raw == record.raw and now - at <= REPEAT_WINDOW_S

    def kept(self, record: Record, now: float) -> None:
        self._last.pop(record.receiver, None)
        self._last[record.receiver] = record.raw, now
        while len(self._last) > _MOST_RECEIVERS:
            self._last.pop(next(iter(self._last)))
