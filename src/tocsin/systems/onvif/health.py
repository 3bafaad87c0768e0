"""From single looks at devices to their states (connectors.md 6.5, 2.6). Pure.

A device that does not answer is offline after so many rounds in a row. A round in which nobody answers says something
about the gateway, not about the devices, and counts against none of them.
"""

from collections.abc import Collection, Mapping
from typing import Literal

from msgspec import Struct

from tocsin.model.inventory import HealthState, Reason

Look = Literal["alive", "refused", "silent", "closed"]
"""Answers; answers but refuses the login; no answer in time; connection refused, no route or TLS failed."""


class Condition(Struct, frozen=True):
    state: HealthState
    reason: Reason
    detail: str = ""


class Health:
    """The devices of one system by endpoint."""

    def __init__(self, fail_threshold: int) -> None:
        self._threshold = fail_threshold
        self._failures: dict[str, int] = {}
        self._now: dict[str, Condition] = {}
        self._hearing: frozenset[str] = frozenset()
        self._ever = False
        self.blind = False

    def of(self, endpoint: str) -> Condition | None:
        """None: not known."""
        return None if self.blind else self._now.get(endpoint)

    def heard(self, endpoint: str, look: Look, detail: str = "") -> Condition:
        """A device answered: its condition now. Who hears is not blind."""
        self.blind = False
        self._ever = True
        self._failures[endpoint] = 0
        refused = Condition("unknown", "auth_failed", detail)
        self._now[endpoint] = refused if look == "refused" else Condition("online", "probe_ok")
        return self._now[endpoint]

    def suspicious(self, failed: Collection[str], asked: int) -> bool:
        """Whether a round without an answer may be the gateway's own fault: at least two devices fell silent at once,
        or none was ever heard. Of a single device nothing can be told.
        """
        if len(failed) < asked or asked < 2:
            return False
        return self.blind or not self._ever or len(self._hearing.intersection(failed)) >= 2

    def ended(self, failed: Mapping[str, tuple[Look, str]], asked: Collection[str], blind: bool) -> None:
        """A round is over; `failed` did not answer in it."""
        self.blind = blind
        if blind:
            self._failures.clear()
            return
        self._hearing = frozenset(asked) - frozenset(failed)
        for endpoint, (look, detail) in failed.items():
            self._failures[endpoint] = self._failures.get(endpoint, 0) + 1
            if self._failures[endpoint] >= self._threshold:
                reason: Reason = "probe_timeout" if look == "silent" else "probe_refused"
                self._now[endpoint] = Condition("offline", reason, detail)
