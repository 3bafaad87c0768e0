"""A connection counts as idle only from the sweep after its last bytes."""

from typing import cast

from tocsin.sources.dc09.links import StreamLink
from tocsin.sources.dc09.settings import Dc09SourceSettings
from tocsin.sources.dc09.source import Dc09Source


class _At:
    def __init__(self, now: float) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now


class _Owner:
    settings = Dc09SourceSettings(name="panels", listen="127.0.0.1:0", idle="60s")
    clock = _At(100.0)


class _Transport:
    def is_closing(self) -> bool:
        return False


def test_what_was_heard_since_the_last_look_counts_as_heard_now() -> None:
    link = StreamLink(cast("Dc09Source", _Owner()))
    link._transport = _Transport()
    assert not link.idle(160.0)
    assert link.idle(160.5)
    link.data_received(b"\n")
    assert not link.idle(165.0)
    assert not link.idle(225.0)
    assert link.idle(225.5)
