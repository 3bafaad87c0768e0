"""The whole configuration (interface.md 3): its sections, and loading them with every problem named."""

from typing import Annotated, Any

from msgspec import Struct
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from tocsin.api.control.settings import ControlSettings
from tocsin.api.settings import ApiSettings, ConsoleSettings
from tocsin.config.document import Document
from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.problems import Problem
from tocsin.config.zones import TimeZone
from tocsin.destinations.settings import DestinationSettings, Name
from tocsin.engine.arming_schedule import arming_schedule
from tocsin.engine.contacts import ContactRules
from tocsin.evidence.settings import EvidenceSettings
from tocsin.model.device import Area, Device, Thresholds
from tocsin.model.event import Address
from tocsin.protocols.addressing import listed
from tocsin.sources.settings import SourceSettings
from tocsin.store.places import is_address, is_postgres
from tocsin.systems.settings import SystemSettings


def _arming_times(text: str) -> str:
    if text:
        arming_schedule(text)
    return text


ArmingTimes = Annotated[str, AfterValidator(_arming_times)]
AreaName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
DeviceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:@-]{1,200}$")]
Account = Annotated[str, StringConstraints(pattern=r"^[!-+\--:<-~]{1,254}$")]
"""Printable and without the separators of a description: also a mail address or `#9280|00-001`."""
Digits = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,32}$")]


def _postgres(place: Secret | None) -> Secret | None:
    if place is not None and not is_postgres(place.reveal()):
        raise ValueError("expected postgresql://USER@HOST:PORT/NAME; without database, SQLite in data_dir is used")
    if place is not None and not is_address(place.reveal()):
        raise ValueError(
            "not an address of the form postgresql://USER:PASSWORD@HOST:PORT/NAME; in user and password the characters "
            "@ : / ? # % are written as %40 %3A %2F %3F %23 %25"
        )
    return place


class GatewaySettings(Settings):
    """This gateway."""

    name: Name = Field("tocsin", description="Name of this gateway, as stations and pages show it.")
    data_dir: str = Field("data", description="Folder of the SQLite store.")
    database: Annotated[Secret | None, AfterValidator(_postgres)] = Field(
        None, description="postgresql://… instead of SQLite."
    )
    public_url: str = Field("", pattern=r"^(https?://[^\s]+)?$", description="How browsers reach it, for event links.")
    link_life: Duration = Field(
        43200.0, ge=60, le=2_592_000, description="How long an event's link is good after the last delivery with it."
    )
    time_zone: TimeZone = Field("UTC", description="Time zone of areas that have none of their own.")


class RetentionSettings(Settings):
    """How long things are kept. Events with open deliveries are never deleted."""

    events: Duration = Field(7_776_000.0, description="Events and their deliveries.")
    photos: Duration = Field(2_592_000.0, description="Photos.")
    receipts: Duration = Field(31_536_000.0, description="What was sent and answered.")
    audit: Duration = Field(31_536_000.0, description="Who did what.")


class ThresholdSettings(Settings):
    """Battery levels, in percent of what the device itself reports."""

    battery_low: int = Field(ge=1, le=99, description="Below this the gateway reports battery_low, once.")
    battery_critical: int = Field(0, ge=0, le=98, description="Below this it says so; 0: never.")

    @model_validator(mode="after")
    def _in_order(self) -> "ThresholdSettings":
        if self.battery_critical >= self.battery_low:
            raise ValueError("battery_critical must lie below battery_low")
        return self

    def thresholds(self) -> Thresholds:
        return Thresholds(self.battery_low, self.battery_critical)


class LivenessSettings(Settings):
    """When a device that should be heard counts as lost, and a battery as low or good again."""

    periods: float = Field(2.0, ge=1, le=100, description="Lost after this many times its routine …")
    allowance: Duration = Field(600.0, ge=0, description="… and this long.")
    thresholds: ThresholdSettings | None = Field(
        None, description="For devices that have none of their own; absent: only those that have."
    )
    battery_hysteresis: float = Field(
        5.0, ge=0, le=50, description="So many points above battery_low a battery counts as good again."
    )

    def rules(self) -> ContactRules:
        thresholds = self.thresholds.thresholds() if self.thresholds else None
        return ContactRules(self.periods, self.allowance, thresholds, self.battery_hysteresis)


class AddressSettings(Settings):
    """A device's or area's number at one destination."""

    account: Account = Field(description="Account number, in quotes; or all of the address as the station writes it.")
    area: Digits | None = Field(None, description="Area or group.")
    zone: Digits | None = Field(None, description="Zone.")
    receiver: Digits | None = Field(None, description="Receiver number.")
    prefix: Digits | None = Field(None, description="Account prefix (line).")

    def address(self) -> Address:
        parts = (self.area, self.zone, self.receiver, self.prefix)
        return Address(self.account, *parts) if any(parts) else listed(self.account)


def _written_out(value: Any) -> Any:
    return {"account": value} if isinstance(value, str) else value


Listed = Annotated[AddressSettings, BeforeValidator(_written_out)]


class AreaSettings(Settings):
    """A site."""

    name: AreaName = Field(description="Name of the area, unique.")
    parent: str = Field("", description="The area it lies in.")
    customer_id: str = Field("", description="Whose it is; default: the parent's.")
    time_zone: TimeZone | None = Field(None, description="Default: the parent's, then the gateway's.")

    addresses: dict[str, Listed] = Field(
        {}, description='Its number at single destinations, by their name: { arc = "#9280" }.'
    )

    def area(self) -> Area:
        listed = {name: settings.address() for name, settings in self.addresses.items()}
        return Area(self.name, self.parent, self.customer_id, self.time_zone or "", listed, "config")


class DeviceSettings(Settings):
    """A device that sends events."""

    id: DeviceId = Field(description="What the device calls itself: letters, digits and . _ : @ -")
    name: str = Field("", description="Name for people.")
    type: str = Field("", description="detector, camera, panel …")
    area: str = Field("", description="The area it stands in.")
    description: str = Field("", description='Free text; "SIA:#9280|00-001" in it is its address (stations.md 2).')
    customer_id: str = Field("", description="Whose it is; default: the area's.")
    time_zone: TimeZone | None = Field(None, description="Default: the area's.")
    routine: Duration | None = Field(
        None, gt=0, description="It makes contact at least this often; silent for two such periods it is lost."
    )
    thresholds: ThresholdSettings | None = Field(None, description="Battery levels; default: those of [liveness].")
    schedule: ArmingTimes = Field("", description='When it is armed: "Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00".')
    addresses: dict[str, Listed] = Field(
        {}, description='Its number at single destinations, by their name: { arc = "#9280|00-001" }.'
    )

    def device(self) -> Device:
        return Device(
            id=self.id,
            name=self.name,
            type=self.type,
            area=self.area,
            description=self.description,
            customer_id=self.customer_id,
            time_zone=self.time_zone or "",
            routine_s=self.routine,
            thresholds=self.thresholds.thresholds() if self.thresholds else None,
            addresses={name: settings.address() for name, settings in self.addresses.items()},
            origin="config",
            schedule=self.schedule,
        )


class Configuration(Struct, frozen=True):
    """Everything the configuration says, checked. Sources, destinations, systems and agents are of their types'
    own models.
    """

    gateway: GatewaySettings
    api: ApiSettings
    console: ConsoleSettings
    retention: RetentionSettings
    liveness: LivenessSettings = LivenessSettings()
    control: ControlSettings | None = None
    areas: tuple[AreaSettings, ...] = ()
    devices: tuple[DeviceSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    destinations: tuple[DestinationSettings, ...] = ()
    systems: tuple[SystemSettings, ...] = ()
    evidence: tuple[EvidenceSettings, ...] = ()


class Loaded(Struct, frozen=True):
    """`settings` is None when a problem stops the gateway. Entries that say `on_start_error = "disable"` are left out
    with their problems instead; `left_out` names them.
    """

    file: str
    settings: Configuration | None
    problems: tuple[Problem, ...] = ()
    left_out: tuple[str, ...] = ()
    document: Document | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.level == "error")
