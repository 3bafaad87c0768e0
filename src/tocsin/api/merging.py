"""Many areas and devices at once: what rows would change, and which of them cannot be used. Pure.

A row says what it wants to be so; what it does not mention stays. So the same rows a second time change nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from tocsin.api.bodies import explain
from tocsin.api.problems import Problem
from tocsin.api.written import (
    DEVICE_ID,
    AreaIn,
    DeviceIn,
    area_as_written,
    device_as_written,
    meant_area,
    meant_device,
)
from tocsin.engine.areas import DEEPEST
from tocsin.model.device import Area, Device

Row = Mapping[str, Any]
What = Literal["area", "device"]
T = TypeVar("T", Area, Device)
_ID = re.compile(DEVICE_ID)


class Change(Struct, frozen=True):
    """One area or device that would change: per field what was and what will be, as text."""

    id: str
    fields: dict[str, tuple[str, str]]


class RowRefused(Struct, frozen=True):
    """`n` counts rows of this kind from 1."""

    what: What
    n: int
    id: str
    reason: str


Take = Callable[[Row], tuple[T, Change | None] | None]
"""What a row wants and its change (None: it is new); None when nothing changes. Raises Problem."""


class Merge(Generic[T]):
    """Rows of one kind, one after the other, and what they come to. `wanted`: what is to be written."""

    def __init__(self, what: What, take: Take[T]) -> None:
        self.wanted: list[T] = []
        self.added: list[str] = []
        self.changed: list[Change] = []
        self.unchanged = 0
        self.refused: list[RowRefused] = []
        self._what = what
        self._take: Take[T] = take
        self._seen: dict[str, int] = {}
        self._rows = 0

    def add(self, row: Row) -> None:
        """The next row; one that cannot be used is refused with its reason."""
        self._rows += 1
        name = str(row.get("name" if self._what == "area" else "id", ""))[:200]
        try:
            if name in self._seen:
                raise Problem(422, "it is given twice: the first one counts")
            found = self._take(row)
        except Problem as problem:
            self.refused.append(RowRefused(self._what, self._rows, name, problem.detail.rstrip(".")))
            return
        self._seen[name] = self._rows
        if found is None:
            self.unchanged += 1
            return
        self.wanted.append(found[0])
        if found[1] is None:
            self.added.append(name)
        else:
            self.changed.append(found[1])

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Wanted rows that cannot be used after all, because of others: by name, why."""
        self.wanted = [one for one in self.wanted if (one.name if isinstance(one, Area) else one.id) not in reasons]
        self.added = [one for one in self.added if one not in reasons]
        self.changed = [one for one in self.changed if one.id not in reasons]
        self.refused += [RowRefused(self._what, self._seen[name], name, why) for name, why in reasons.items()]


def merged_device(row: Row, known: Device | None) -> tuple[Device, Change | None] | None:
    """Raises Problem."""
    device_id = row.get("id", "")
    if not isinstance(device_id, str) or not _ID.fullmatch(device_id):
        raise Problem(422, "id: expected 1 to 200 letters, digits and . _ : @ -")
    before = {} if known is None else device_as_written(known)
    device = meant_device(device_id, _decoded(_over(before, row, "id"), DeviceIn))
    return _compared(device, device_id, before, device_as_written(device), known)


def merged_area(row: Row, known: Area | None) -> tuple[Area, Change | None] | None:
    """Raises Problem."""
    name = row.get("name", "")
    if not isinstance(name, str):
        raise Problem(422, "name: text is expected here")
    before = {} if known is None else area_as_written(known)
    area = meant_area(name, _decoded(_over(before, row, "name"), AreaIn))
    return _compared(area, name, before, area_as_written(area), known)


def parent_problem(area: Area, parents: Mapping[str, str]) -> str:
    """Why an area cannot lie where it says; empty when it can. `parents` as they will be."""
    if area.parent and area.parent not in parents:
        return f"parent: there is no area {area.parent!r}"
    above, passed = area.parent, set[str]()
    while above and above not in passed:
        if above == area.name:
            return "parent: this area would lie within itself"
        passed.add(above)
        above = parents.get(above, "")
    return ""


def leave_out_hanging(areas: Merge[Area], known: Mapping[str, Area]) -> None:
    """Refuse what would lie in an area that was refused, or in itself because another row was; `known` are the areas
    there are.
    """
    hanging = bool(areas.refused)
    while hanging:
        lost = {one.id for one in areas.refused} - {area.name for area in areas.wanted} - known.keys()
        reasons = _within_lost(areas.wanted, lost) | _within_itself(areas.wanted, known)
        areas.leave_out(reasons)
        hanging = bool(reasons)
    areas.refused.sort(key=lambda one: one.n)


def _within_lost(wanted: Sequence[Area], lost: AbstractSet[str]) -> dict[str, str]:
    below: dict[str, list[str]] = {}
    for area in wanted:
        below.setdefault(area.parent, []).append(area.name)
    reasons: dict[str, str] = {}
    for top in lost:
        above = [top]
        while above:
            inside = below.pop(above.pop(), [])
            reasons.update(dict.fromkeys(inside, f"parent: it lies in {top!r}, which cannot be used"))
            above += inside
    return reasons


def _within_itself(wanted: Sequence[Area], known: Mapping[str, Area]) -> dict[str, str]:
    parents = {area.name: area.parent for area in (*known.values(), *wanted)}
    reasons: dict[str, str] = {}
    for area in wanted:
        above = area.parent
        for _ in range(DEEPEST):
            if above == area.name:
                reasons[area.name] = "parent: this area would lie within itself"
                break
            above = parents.get(above, "")
    return reasons


def _over(before: Mapping[str, Any], row: Row, key: str) -> dict[str, Any]:
    """The row over what is known; an empty address takes one out of the list."""
    given = {name: value for name, value in row.items() if name != key}
    addresses = given.get("addresses")
    if isinstance(addresses, Mapping):
        both = {**before.get("addresses", {}), **addresses}
        given["addresses"] = {name: one for name, one in both.items() if one not in ("", None)}
    return {**before, **given}


def _decoded(value: Mapping[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, field = explain(error)
        raise Problem(422, f"{field}: {reason}" if field else reason) from None


def _compared(
    wanted: T, name: str, before: Mapping[str, Any], after: Mapping[str, Any], known: T | None
) -> tuple[T, Change | None] | None:
    if known is None:
        return wanted, None
    fields = {field: (_text(before[field]), _text(value)) for field, value in after.items() if value != before[field]}
    if not fields:
        return None
    if known.origin == "config":
        raise Problem(409, "it is written in the configuration file with other values; change it there and reload")
    return wanted, Change(name, fields)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in sorted(value.items()))
    return "" if value is None else str(value)
