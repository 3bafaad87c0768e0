"""The tree of areas: what lies within what, and what an area hands down. Pure."""

from collections.abc import Iterable

from tocsin.model.device import Area
from tocsin.model.event import Address

DEEPEST = 32


class AreaTree:
    """Areas by name. An area nobody described is a tree of its own; a circle of parents ends where it closes."""

    def __init__(self, areas: Iterable[Area] = (), time_zone: str = "UTC") -> None:
        self._areas = {area.name: area for area in areas}
        self._time_zone = time_zone

    def put(self, area: Area) -> None:
        self._areas[area.name] = area

    def delete(self, name: str) -> None:
        self._areas.pop(name, None)

    def get(self, name: str) -> Area | None:
        return self._areas.get(name)

    def all(self) -> list[Area]:
        return sorted(self._areas.values(), key=lambda area: area.name)

    def __contains__(self, name: str) -> bool:
        """Whether somebody described it."""
        return name in self._areas

    def lineage(self, name: str) -> tuple[str, ...]:
        """The area and those above it, nearest first; empty for no area."""
        found: list[str] = []
        while name and name not in found and len(found) < DEEPEST:
            found.append(name)
            area = self._areas.get(name)
            name = area.parent if area else ""
        return tuple(found)

    def within(self, names: frozenset[str]) -> frozenset[str]:
        """The areas named and all below them."""
        return names | {area for area in self._areas if not names.isdisjoint(self.lineage(area))}

    def customer_id(self, name: str) -> str:
        return next((area.customer_id for area in self._above(name) if area.customer_id), "")

    def time_zone(self, name: str) -> str:
        """IANA name: the area's, the nearest one's above it, or the gateway's."""
        return next((area.time_zone for area in self._above(name) if area.time_zone), self._time_zone)

    def address(self, name: str, destination: str) -> Address | None:
        """The number at a destination: the area's own, or that of the nearest one above it."""
        return next((a.addresses[destination] for a in self._above(name) if destination in a.addresses), None)

    def _above(self, name: str) -> list[Area]:
        return [self._areas[step] for step in self.lineage(name) if step in self._areas]
