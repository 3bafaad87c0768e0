"""What a snapshot changes in what was known: additions, changes, removals and the guard against many. Pure.

connectors.md 2.3.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import fields, replace

from tocsin.engine.inventory.reading import Snapshot, content_hash
from tocsin.engine.inventory.rules import SystemRules
from tocsin.model.canonical import (
    Counts,
    DeviceRecord,
    Difference,
    KeptDevice,
    Removal,
    RemovalReason,
    RunState,
    SystemStanding,
)

LEAST_GUARDED = 10
GUARDED_SHARE = 0.1
TOMBSTONE_LIFE = timedelta(days=30)
MOST_SHOWN = 1000
_COMPARED = tuple(one.name for one in fields(DeviceRecord) if one.name not in ("id", "last_seen"))


class Compared(Struct, frozen=True):
    """`changed` are the devices to write, `forgotten` tombstones past their time."""

    state: RunState
    changed: Sequence[KeptDevice]
    forgotten: Sequence[str]
    standing: SystemStanding
    counts: Counts
    differences: Sequence[Difference]
    notes: Sequence[str]


def compare(
    rules: SystemRules,
    known: Mapping[str, KeptDevice],
    found: Snapshot,
    standing: SystemStanding,
    now: datetime,
    accept_removals: bool = False,
) -> Compared:
    """`known`: every device of the system, tombstones too, by id."""
    unmoved = [] if found.complete else _unmoved(known, found.records)
    kept = {one.record.id for one in unmoved}
    present = [_present(known.get(id_), record, now) for id_, record in found.records.items() if id_ not in kept]
    left_out = [one for one in _alive(known.values()) if one.record.id in found.excluded]
    unwanted = [one for one in left_out if found.complete or one.record.type not in rules.include_types]
    excluded = [_removed(one, now, "excluded_by_rule") for one in unwanted]
    seen = found.records.keys() | found.excluded
    absent = [one for one in _alive(known.values()) if one.record.id not in seen]
    missing = [replace(one, missing_count=one.missing_count + 1) for one in absent] if found.complete else []
    gone = [one.record.id for one in missing if one.missing_count >= rules.remove_after]
    guarded = _guarded(rules, known, found, gone, standing) and not accept_removals
    removed = frozenset(() if guarded else gone)
    after = _standing(standing, found, tuple(gone), guarded, now)
    written = [
        *(one for one in present if one != known.get(one.record.id)),
        *excluded,
        *(_removed(one, now, "absent_from_source") if one.record.id in removed else one for one in missing),
    ]
    shown = [*_changes(known, present), *(_line("-", one, "excluded by rule or type") for one in excluded)]
    shown += [_missing_line(one, removed, rules.remove_after, guarded) for one in missing]
    if not found.complete:
        shown += _doubtful(unmoved, [one for one in left_out if one.record.type in rules.include_types], absent)
    return Compared(
        state="held" if guarded else "succeeded" if found.complete else "partial",
        changed=written,
        forgotten=[one.record.id for one in known.values() if _forgotten(one, found, now)],
        standing=after,
        counts=_counts(found, shown, len(absent)),
        differences=shown[:MOST_SHOWN],
        notes=_notes(rules, found, gone, guarded, after),
    )


def settled_until(kept: Sequence[KeptDevice], now: datetime) -> datetime | None:
    """Until when the same snapshot changes nothing more of what is kept: then a tombstone is forgotten. None: it does
    so at once, because devices are missing.
    """
    if any(one.missing_count for one in _alive(kept)):
        return None
    gone = [each.removed_at for one in kept for each in (*one.left, *([one.removal] if one.removal else []))]
    return min(gone, default=now) + TOMBSTONE_LIFE


def _unmoved(known: Mapping[str, KeptDevice], found: Mapping[str, DeviceRecord]) -> list[KeptDevice]:
    """Devices that would go to another customer. What the rules look at, such as the location, may be just what was
    not read: one customer's devices must not be told to another because of that.
    """
    pairs = ((known.get(id_), record) for id_, record in found.items())
    return [
        one
        for one, record in pairs
        if one and one.removal is None and one.record.customer_id not in ("", record.customer_id)
    ]


def _present(known: KeptDevice | None, record: DeviceRecord, now: datetime) -> KeptDevice:
    digest = content_hash(record)
    if known is None:
        return KeptDevice(record, digest, now, now)
    left = tuple(one for one in known.left if one.customer_id != record.customer_id and _fresh(one, now))
    before = known.record.customer_id
    if before and before != record.customer_id and known.removal is None:
        left = (*left, Removal(record.id, before, now, "customer_changed"))
    same = replace(known, record=record, content_hash=digest, missing_count=0, removal=None, left=left)
    return known if same == known else replace(same, updated_at=now)


def _removed(one: KeptDevice, now: datetime, reason: RemovalReason) -> KeptDevice:
    removal = Removal(one.record.id, one.record.customer_id, now, reason)
    return replace(one, removal=removal, updated_at=now, health=None)


def _alive(devices: Iterable[KeptDevice]) -> list[KeptDevice]:
    return [one for one in devices if one.removal is None]


def _guarded(
    rules: SystemRules, known: Mapping[str, KeptDevice], found: Snapshot, gone: Sequence[str], standing: SystemStanding
) -> bool:
    """Whether so many removals at once wait for somebody to agree: a person, or further complete readings."""
    alive = len(_alive(known.values()))
    many = len(gone) > max(LEAST_GUARDED, GUARDED_SHARE * alive)
    emptied = found.complete and alive > 0 and not found.records and not found.excluded
    return (many or emptied) and _agreed(standing, gone) < rules.hold_confirmations


def _agreed(standing: SystemStanding, gone: Sequence[str]) -> int:
    """How many readings after the first say the same, this one included."""
    return standing.agreed + 1 if standing.held and set(standing.held) <= set(gone) else 0


def _standing(
    before: SystemStanding, found: Snapshot, gone: tuple[str, ...], guarded: bool, now: datetime
) -> SystemStanding:
    if not found.complete:
        return before
    if guarded:
        return replace(before, last_complete_sync=now, held=gone, agreed=_agreed(before, gone))
    return replace(before, last_complete_sync=now, held=(), agreed=0)


def _forgotten(one: KeptDevice, found: Snapshot, now: datetime) -> bool:
    return one.removal is not None and one.record.id not in found.records and not _fresh(one.removal, now)


def _fresh(removal: Removal, now: datetime) -> bool:
    return now - removal.removed_at < TOMBSTONE_LIFE


def _changes(known: Mapping[str, KeptDevice], present: Sequence[KeptDevice]) -> list[Difference]:
    lines = []
    for one in present:
        before = known.get(one.record.id)
        if before is None or before.removal is not None:
            lines.append(_line("+", one, "back" if before else one.record.type))
        elif before.content_hash != one.content_hash:
            lines.append(_line("~", one, _what_changed(before.record, one.record)))
    return lines


def _what_changed(before: DeviceRecord, after: DeviceRecord) -> str:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _COMPARED]
    return ", ".join(f"{name}: {_shown(old)} → {_shown(new)}" for name, old, new in pairs if old != new)


def _shown(value: object) -> str:
    text = "-" if value in ("", None, {}) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _missing_line(one: KeptDevice, removed: Collection[str], after: int, guarded: bool) -> Difference:
    if one.record.id in removed:
        return _line("-", one, "no longer in the system")
    if guarded and one.missing_count >= after:
        return _line("?", one, "no longer in the system; its removal is held")
    return _line("?", one, f"missing for the {one.missing_count}. time, removed at the {after}.")


def _line(what: str, one: KeptDevice, detail: str) -> Difference:
    return Difference(what, one.record.id, one.record.name, detail)  # type: ignore[arg-type]


def _doubtful(
    unmoved: Sequence[KeptDevice], left_out: Sequence[KeptDevice], absent: Sequence[KeptDevice]
) -> list[Difference]:
    """What would happen to devices if the reading were believed."""
    return [
        *(_line("?", one, "would be another customer's, but the reading was not complete") for one in unmoved),
        *(_line("?", one, "a rule leaves it out, but the reading was not complete") for one in left_out),
        *(_line("?", one, "not seen, but the reading was not complete") for one in absent),
    ]


def _counts(found: Snapshot, shown: Sequence[Difference], absent: int) -> Counts:
    of = {what: sum(line.what == what for line in shown) for what in "+~-"}
    return Counts(found.seen, of["+"], of["~"], of["-"], absent, len(found.excluded), found.unmapped, found.invalid)


def _notes(rules: SystemRules, found: Snapshot, gone: Sequence[str], guarded: bool, after: SystemStanding) -> list[str]:
    notes = [*(f"not complete: {doubt}" for doubt in found.doubts), *found.notes]
    if found.unmapped:
        notes.append(f"{found.unmapped} devices have no customer and are not sent: customer_id or customer_rules")
    if guarded:
        left = rules.hold_confirmations - after.agreed
        what = f"{len(gone)} devices would be removed at once" if gone else "the system lists no device any more"
        notes.append(
            f"held: {what}. Look whether the login still sees everything; if they are really gone, "
            f"`tocsin sync {rules.name} --accept-removals`; else {left} more complete readings that agree settle it"
        )
    return notes
