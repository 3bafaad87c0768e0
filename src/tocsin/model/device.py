"""Devices, areas and their place in the tree."""

from datetime import datetime

from msgspec import Struct

from tocsin.model.command import Order
from tocsin.model.event import Address


class Area(Struct, frozen=True, omit_defaults=True):
    """A site. Areas nest by `parent`; empty strings mean: take it from the parent, then from the gateway.

    `addresses`: the numbers at single destinations, by their name, of devices that have none themselves. `origin` is
    config or api; config wins.
    """

    name: str
    parent: str = ""
    customer_id: str = ""
    time_zone: str = ""
    addresses: dict[str, Address] = {}
    origin: str = "api"
    updated_at: datetime | None = None


class Thresholds(Struct, frozen=True):
    """Battery levels in percent. Below `battery_low` it is low, below `battery_critical` about to end."""

    battery_low: int
    battery_critical: int = 0


class Device(Struct, frozen=True, omit_defaults=True, gc=False):
    """A device that sends events. `origin` is config, api or the name of a system; config wins over the others."""

    id: str
    name: str = ""
    type: str = ""
    area: str = ""
    description: str = ""
    customer_id: str = ""
    time_zone: str = ""
    routine_s: float | None = None
    thresholds: Thresholds | None = None
    addresses: dict[str, Address] = {}
    origin: str = "api"
    updated_at: datetime | None = None
    schedule: str = ""
    """When it is armed (engine/arming_schedule.py); empty: always, unless somebody disarms it."""
    orders: tuple[Order, ...] = ()
    """What its system can be told to do with it; devices without a system fetch what they are ordered."""

    @property
    def of_system(self) -> bool:
        return self.origin not in ("config", "api")
