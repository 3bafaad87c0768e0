"""From a look at a device to its state, and who is to blame for silence (connectors.md 6.5). Pure.

That a device must fail several times in a row before it is offline is the engine's rule for all that is polled.
"""

from collections.abc import Collection
from typing import Literal

from msgspec import Struct

from tocsin.model.inventory import HealthState, Reason

Look = Literal["alive", "refused", "silent", "closed"]
"""Answers; answers but refuses the login; no answer in time; connection refused, no route or TLS failed."""


class Condition(Struct, frozen=True):
    state: HealthState
    reason: Reason
    detail: str = ""


def condition(look: Look, detail: str) -> Condition:
    match look:
        case "alive":
            return Condition("online", "probe_ok")
        case "refused":
            return Condition("unknown", "auth_failed", detail)
        case "silent":
            return Condition("offline", "probe_timeout", detail)
        case "closed":
            return Condition("offline", "probe_refused", detail)


class Hearing:
    """Which devices of a system are heard; `blind` while the gateway's own link is suspected."""

    def __init__(self) -> None:
        self._heard: frozenset[str] = frozenset()
        self._ever = False
        self.blind = False

    def heard(self) -> None:
        """Somebody answered: who hears is not blind."""
        self._ever, self.blind = True, False

    def suspicious(self, failed: Collection[str], asked: int) -> bool:
        """Whether a round without an answer may be the gateway's own fault: at least two devices fell silent at once,
        or none was ever heard. Of a single device nothing can be told.
        """
        if len(failed) < asked or asked < 2:
            return False
        return self.blind or not self._ever or len(self._heard.intersection(failed)) >= 2

    def ended(self, failed: Collection[str], asked: Collection[str], blind: bool) -> None:
        """A round is over; `failed` did not answer in it."""
        self.blind = blind
        if not blind:
            self._heard = frozenset(asked) - frozenset(failed)
