"""Who is a duplicate of whom, from the identifiers found in the store. Pure; the rule is in contract.Arrival."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.store.contract import Arrival, StoreError


class Known(Struct, frozen=True):
    """An event that came under some identifier of its source's own."""

    seq: int
    source: str
    device_id: str
    digest: bytes


class Verdict(Struct, frozen=True):
    """`repeats`: the earlier event, if this is a duplicate. Otherwise it is kept under `id`.

    `reused`: its own id was taken by an event of the same source and device.
    """

    id: str
    repeats: Known | None = None
    reused: bool = False


def judge(arrival: Arrival, known: Sequence[Known]) -> Verdict:
    """One arrival against what came under its id before, at least one event.

    Raises StoreError if it has no id left to take.
    """
    event = arrival.event
    same_origin = [one for one in known if one.source == event.source and one.device_id == event.device_id]
    for one in same_origin:
        if one.digest == arrival.digest:
            return Verdict(event.id, repeats=one)
    if not arrival.alternate_id:
        raise StoreError(f"event id {event.id!r} is taken by another event and no other id was offered")
    return Verdict(arrival.alternate_id, reused=bool(same_origin))
