"""What every `[[systems]]` table may say, whatever its type."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from tocsin.config.fields import Duration, Settings
from tocsin.config.zones import TimeZone
from tocsin.engine.inventory.cron import Cron
from tocsin.engine.inventory.rules import CustomerRule, HealthRules, Schedule, SystemRules
from tocsin.model.inventory import DeviceType
from tocsin.model.kinds import Kind
from tocsin.transports.contract import TlsOptions

SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
"""It is the first part of the ids of all its devices (connectors.md 1.3), so it is not to be changed later."""
CustomerId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
SENT_BY_DEFAULT: tuple[DeviceType, ...] = (
    "camera", "access_control", "door", "intercom", "intrusion", "recorder", "other",
)  # fmt: skip
"""connectors.md 1.5: a large site has thousands of microphones and inputs that nobody installed."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _cron(text: str) -> str:
    if text:
        Cron.parse(text).after(datetime(2024, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return text


class SystemTlsSettings(Settings):
    """TLS towards the system."""

    ca_file: str = Field("", description="PEM file with the authority of the system's certificate, complete chain.")
    server_name: str = Field("", description="Name the certificate must carry, where it is not the host's.")
    pin: str = Field("", pattern=r"^([0-9A-Fa-f]{64})?$", description="SHA-256 of the system's certificate.")
    insecure: bool = Field(False, description="true switches verification off; shown on every page.")

    def options(self) -> TlsOptions:
        return TlsOptions(self.ca_file, server_name=self.server_name, pin=self.pin.lower(), insecure=self.insecure)


class MatchSettings(Settings):
    """Which devices a customer rule is about: all that is said must hold."""

    location_glob: str = Field("", description='Pattern for the location: "Tenant B/*".')
    name_glob: str = Field("", description='Pattern for the name: "TEST *".')
    name_regex: Annotated[str, AfterValidator(_pattern)] = Field(
        "", description='Regular expression that is searched in the name: "^(SPARE|TEST) ".'
    )
    kind: str = Field("", description="What the system calls it: camera, reader, panel …")
    type: DeviceType | None = Field(None, description="Type of device.")
    attributes: dict[str, str] = Field({}, description='Attributes as the system gives them: { segment_id = "12" }.')

    @model_validator(mode="after")
    def _says_something(self) -> "MatchSettings":
        if self == MatchSettings.model_construct():
            raise ValueError("match says nothing: every device would be meant; write customer_id beside the system")
        return self


class CustomerRuleSettings(Settings):
    """The first rule that matches decides whose a device is."""

    match: MatchSettings = Field(description="Which devices this rule is about.")
    customer_id: CustomerId | None = Field(None, description="Whose they are.")
    exclude: bool = Field(False, description="true: these devices are not sent to anybody.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "CustomerRuleSettings":
        if (self.customer_id is None) is not self.exclude:
            raise ValueError("a rule says either customer_id or exclude = true")
        return self

    def rule(self) -> CustomerRule:
        return CustomerRule(self.customer_id or "", **dict(self.match))


class InventorySettings(Settings):
    """When the inventory is read, and what of it is sent."""

    every: Duration = Field(21_600.0, ge=60, le=2_592_000, description="Time from one reading to the next, ±10 %.")
    cron: Annotated[str, AfterValidator(_cron)] = Field(
        "",
        description='Instead of every, minute hour day month weekday: "0 3 * * *"; each a number, a list "1,15", '
        'a range "1-5", a step "*/10" or "*"; weekdays 0-7, Sunday is 0 and 7.',
    )
    time_zone: TimeZone | None = Field(None, description="Time zone of cron; default: the gateway's.")
    include_types: list[DeviceType] = Field(
        list(SENT_BY_DEFAULT), min_length=1, description="Types of devices to send; the others are left out."
    )
    remove_after: int = Field(
        2, ge=1, le=100, description="So many complete readings in a row must miss a device before it is removed."
    )
    hold_confirmations: int = Field(
        5, ge=1, le=1000, description="So many more readings must agree before many removals at once are believed."
    )
    mac_dup_limit: int = Field(
        16, ge=1, le=10_000, description="A MAC address that more boxes than this have is a dummy and left out."
    )


class HealthSettings(Settings):
    """How changes between online and offline are noticed."""

    mode: Literal["events", "poll", "off"] = Field("events", description="The system tells, or is asked regularly.")
    every: Duration = Field(60.0, ge=1, le=86_400, description="With poll: how often it is asked.")
    fail_threshold: int = Field(
        3, ge=1, le=100, description="With poll: so many failures in a row are needed before a device is offline."
    )
    stale_after: Duration | None = Field(
        None, description="A state not confirmed for this long is unknown; default: 15m, with poll three times every."
    )
    offline_hold: Duration = Field(
        0.0, ge=0, le=3600, description="Wait before telling that a device is offline; back by then, nothing is told."
    )

    reconcile: Duration = Field(
        3600.0, ge=60, description="With events: all states are read again this often, to heal missed ones."
    )

    def rules(self) -> HealthRules:
        return HealthRules(
            self.mode, self.every, self.fail_threshold, self.stale_s(), self.offline_hold, self.reconcile
        )

    def stale_s(self) -> float:
        """Seconds."""
        if self.stale_after is not None:
            return self.stale_after
        return 3 * self.every if self.mode == "poll" else 900.0


class SystemSettings(Settings):
    """Shared part; each type adds its own fields in its folder's settings.py."""

    name: SystemName = Field(
        description="Name of this system, unique; the first part of its devices' ids, so not to be changed later."
    )
    type: str = Field(description="Type of system.")
    customer_id: CustomerId | None = Field(
        None, description="Whose its devices are; without it, and without a rule that matches, a device is not sent."
    )
    customer_rules: list[CustomerRuleSettings] = Field([], description="Exceptions, in order; the first match decides.")
    area: str = Field("", description="The area its devices stand in, for alarms and filters.")
    time_zone: TimeZone | None = Field(None, description="Of times the system writes without one; default: UTC.")
    inventory: InventorySettings = Field(InventorySettings(), description="When and what is read.")
    health: HealthSettings = Field(HealthSettings(), description="How online and offline are noticed.")
    alarms: list[Kind] = Field([], description="Kinds of its events that become alarms for monitoring stations.")
    on_start_error: Literal["fail", "retry", "disable"] = Field(
        "fail", description="What `run` does when this entry cannot be used."
    )

    def rules(self, time_zone: str = "UTC") -> SystemRules:
        """What the engine needs of it. `time_zone` is the gateway's."""
        read = self.inventory
        return SystemRules(
            name=self.name,
            type=self.type,
            customer_id=self.customer_id or "",
            customers=tuple(rule.rule() for rule in self.customer_rules),
            include_types=frozenset(read.include_types),
            schedule=Schedule(read.every, read.cron, read.time_zone or time_zone),
            remove_after=read.remove_after,
            hold_confirmations=read.hold_confirmations,
            mac_dup_limit=read.mac_dup_limit,
            health=self.health.rules(),
            alarms=frozenset(self.alarms),
            area=self.area,
        )
