"""The devices the gateway knows, from the configuration and from the API, and what an event is told about its own."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from tocsin.engine.areas import AreaTree
from tocsin.engine.arming import Armings
from tocsin.model.device import Area, Device
from tocsin.model.event import Place
from tocsin.store.contract import Store

ORIGIN_CONFIG = "config"


class DeviceBook:
    """All devices in memory; what the API adds is kept in the store. The configuration's entries cannot be changed
    here.
    """

    def __init__(self, store: Store, areas: AreaTree, configured: Iterable[Device] = ()) -> None:
        self._store = store
        self.areas = areas
        self.armings = Armings(store)
        self._devices = {device.id: replace(device, origin=ORIGIN_CONFIG) for device in configured}
        self._places: dict[tuple[str, str], Place] = {}
        self.version = 0
        """Rises with every change."""

    async def load(self) -> None:
        """Read what was kept. An area or device that the configuration names stays as the configuration says."""
        for device in await self._store.devices():
            self._devices.setdefault(device.id, device)
        for area in await self._store.areas():
            if self.areas.get(area.name) is None:
                self.areas.put(area)
        await self.armings.load()
        self._changed()

    def get(self, device_id: str) -> Device | None:
        return self._devices.get(device_id)

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._devices

    def all(self) -> Sequence[Device]:
        return sorted(self._devices.values(), key=lambda device: device.id)

    async def put(self, device: Device, now: datetime) -> Device:
        """Keep a device. Raises PermissionError when the configuration owns it, StoreUnavailable."""
        self._refuse_configured(device.id)
        kept = replace(device, updated_at=now)
        await self._store.put_device(kept)
        self._devices[kept.id] = kept
        self._changed()
        return kept

    async def delete(self, device_id: str) -> bool:
        """False if it was not there. Raises PermissionError when the configuration owns it, StoreUnavailable."""
        self._refuse_configured(device_id)
        gone = await self._store.delete_device(device_id)
        self._devices.pop(device_id, None)
        self._changed()
        return gone

    async def keep(self, areas: Sequence[Area], devices: Sequence[Device], now: datetime) -> None:
        """Keep many at once, all or none. Raises PermissionError when the configuration owns one, StoreUnavailable."""
        for area in areas:
            self._refuse_configured_area(area.name)
        for device in devices:
            self._refuse_configured(device.id)
        kept_areas = [replace(area, updated_at=now) for area in areas]
        kept = [replace(device, updated_at=now) for device in devices]
        await self._store.keep(kept_areas, kept)
        for area in kept_areas:
            self.areas.put(area)
        self._devices |= {device.id: device for device in kept}
        self._changed()

    async def delete_area(self, name: str) -> bool:
        """False if it was not there. Raises PermissionError when the configuration owns it, StoreUnavailable."""
        self._refuse_configured_area(name)
        gone = await self._store.delete_area(name)
        self.areas.delete(name)
        self._changed()
        return gone

    def _changed(self) -> None:
        self._places.clear()
        self.version += 1

    def place(self, device_id: str, area: str = "") -> Place:
        """What is known of where an event happened: the device's facts, or only the area the source named."""
        place = self._places.get((device_id, area))
        if place is None:
            if len(self._places) > 100_000:
                self._places.clear()
            place = self._places[device_id, area] = self.describe(self._devices.get(device_id), area)
        return place

    def describe(self, device: Device | None, area: str = "") -> Place:
        """The same of a device that need not be kept."""
        if device is None:
            return Place(
                area=area,
                customer_id=self.areas.customer_id(area),
                time_zone=self.areas.time_zone(area) if area else "",
            )
        where = device.area or area
        return Place(
            name=device.name,
            type=device.type,
            area=where,
            customer_id=device.customer_id or self.areas.customer_id(where),
            description=device.description,
            time_zone=device.time_zone or self.areas.time_zone(where),
        )

    def _refuse_configured_area(self, name: str) -> None:
        known = self.areas.get(name)
        if known is not None and known.origin == ORIGIN_CONFIG:
            raise PermissionError(f"area {name} is written in the configuration file; change it there and reload")

    def _refuse_configured(self, device_id: str) -> None:
        known = self._devices.get(device_id)
        if known is not None and known.origin == ORIGIN_CONFIG:
            raise PermissionError(
                f"device {device_id} is written in the configuration file; change it there and reload"
            )
