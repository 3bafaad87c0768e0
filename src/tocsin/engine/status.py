"""One destination as pages and monitoring see it."""

from datetime import datetime

from msgspec import Struct

from tocsin.engine.contracts import Destination
from tocsin.engine.link import Link
from tocsin.model.delivery import Delivery
from tocsin.store.contract import Store


class PathState(Struct, frozen=True):
    """One of several paths, by its host."""

    path: str
    up: bool


class DestinationStatus(Struct, frozen=True):
    """`state` is up, down, paused or starting (not tried yet); `pending` is per lane."""

    name: str
    type: str
    title: str
    state: str
    reason: str
    host: str
    insecure: bool
    supervision_s: float | None
    pending: dict[str, int]
    oldest: datetime | None
    last: Delivery | None
    paths: tuple[PathState, ...] = ()


def link_state(link: Link, paused: bool) -> tuple[str, str]:
    """State and reason from memory."""
    if paused:
        return "paused", "paused by hand"
    if link.down_since is not None:
        return "down", link.reason
    return ("up", "") if link.contacted else ("starting", link.reason or "nothing sent yet")


async def status(
    destination: Destination, type_: str, title: str, insecure: bool, state: tuple[str, str], store: Store
) -> DestinationStatus:
    """With what the store knows of it. Raises StoreUnavailable."""
    backlog = await store.backlog(destination.name)
    oldest = [lane.oldest for lane in backlog.values() if lane.oldest is not None]
    return DestinationStatus(
        destination.name,
        type_,
        title,
        *state,
        host=destination.hosts_in_use(),
        insecure=insecure,
        supervision_s=destination.supervision_s,
        pending={lane.label: one.pending for lane, one in sorted(backlog.items())},
        oldest=min(oldest, default=None),
        last=await store.last_delivered(destination.name),
    )
