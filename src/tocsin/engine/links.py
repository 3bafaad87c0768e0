"""Login-free links to single events (stations.md 1.6): random tokens that end by themselves and can be revoked."""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from tocsin.engine.contracts import Clock, Randomness
from tocsin.model.delivery import OPEN_STATES, Delivery
from tocsin.store.contract import AuditEntry, Store, StoredEvent, StoredLink

_TOKEN_BYTES = 24
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}\Z")
PATH = "/e/"
LinkStanding = Literal["valid", "expired", "revoked"]


class EventLink(Struct, frozen=True):
    """An event's link as it stands. `until` None: a delivery that carries it is still on its way."""

    url: str
    standing: LinkStanding
    until: datetime | None


class Found(Struct, frozen=True):
    """The event that a token leads to."""

    stored: StoredEvent
    link: EventLink


class Links:
    """Makes, finds and revokes them. `silent` are the destinations that are told of no links; `tried_s` is how long
    after its event a delivery is tried at most.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        randomness: Randomness,
        public_url: str,
        life_s: float,
        silent: Iterable[str],
        tried_s: float = 86400.0,
    ) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._public_url = public_url.rstrip("/")
        self._life = timedelta(seconds=life_s)
        self._silent = frozenset(silent)
        self._tried = timedelta(seconds=tried_s)

    def token(self) -> str:
        """A new one: 192 random bits, always 32 characters."""
        bits = self._randomness.getrandbits(8 * _TOKEN_BYTES)
        return urlsafe_b64encode(bits.to_bytes(_TOKEN_BYTES, "big")).decode()

    def url(self, token: str) -> str:
        return f"{self._public_url}{PATH}{token}"

    async def find(self, token: str) -> Found | None:
        """None for a token that was never given. Whoever guesses learns nothing from the time this takes: it is looked
        up by its digest.
        """
        if not _TOKEN.match(token):
            return None
        digest = sha256(token.encode()).digest()
        kept = await self._store.link(digest)
        if kept is None or not hmac.compare_digest(kept.digest, digest):
            return None
        return Found(kept.stored, await self._judged(kept))

    async def of(self, stored: StoredEvent) -> EventLink | None:
        """The link of an event; None if it has none."""
        found = await self.find(stored.event.link)
        return found.link if found else None

    async def revoke(self, stored: StoredEvent, who: str) -> bool:
        """False if it has none, or it was revoked before."""
        now = self._clock.now()
        done = await self._store.revoke_link(stored.seq, now)
        if done:
            await self._store.audit(AuditEntry(now, who, "revoke link", stored.event.id))
        return done

    async def _judged(self, kept: StoredLink) -> EventLink:
        deliveries = (await self._store.deliveries_of([kept.stored.seq])).get(kept.stored.seq, ())
        until = self._until(kept.stored, deliveries)
        expired = until is not None and self._clock.now() >= until
        standing: LinkStanding = "revoked" if kept.revoked_at else "expired" if expired else "valid"
        return EventLink(self.url(kept.stored.event.link), standing, until)

    def _until(self, stored: StoredEvent, deliveries: Iterable[Delivery]) -> datetime | None:
        """interface.md 4: the time of grace begins with the last delivery that carries the link. One that is open and
        past its time will never be: its station is paused or gone from the configuration.
        """
        given_up = stored.event.accepted_at + self._tried
        carrying = [one for one in deliveries if one.state != "filtered" and one.key.destination not in self._silent]
        still_open = [one for one in carrying if one.state in OPEN_STATES]
        if still_open and self._clock.now() < given_up:
            return None
        last = [given_up if one in still_open else one.delivered_at or one.accepted_at for one in carrying]
        return max(last, default=stored.event.accepted_at) + self._life
