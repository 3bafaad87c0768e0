"""What a `[[systems]]` table of type milestone may say."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.model.kinds import Kind
from tocsin.systems.settings import SystemSettings, SystemTlsSettings
from tocsin.transports.http import endpoint_of


def _origin(url: str) -> str:
    """`https://host[:port]`: everything behind it is ours to add."""
    endpoint_of(url)
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    if "@" in host:
        raise ValueError("the user belongs into username and password, not into the address")
    if path.rstrip("/").lower() not in ("", "api"):
        raise ValueError(f"give the server only: {scheme}://{host}; the paths are added")
    return f"{scheme}://{host}"


Origin = Annotated[str, AfterValidator(_origin)]


EVENT_KINDS: tuple[Kind, ...] = ("motion",)
"""What events of cameras become by themselves."""
HEALTH_KINDS: tuple[Kind, ...] = ("connection_lost", "connection_restored")
"""What the health of devices can become."""
Named = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MilestoneOrders(Settings):
    """What one device can be ordered: for each order the user-defined event that a rule in XProtect waits for."""

    device: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f-]{36}$")] = Field(
        description="GUID of the camera, output or other device."
    )
    siren: str = Field("", max_length=200, description="Name or GUID of the event whose rule sounds its siren.")
    stop_siren: str = Field("", max_length=200, description="Of the event whose rule stops it.")
    arm: str = Field("", max_length=200, description="Of the event whose rule arms it.")
    disarm: str = Field("", max_length=200, description="Of the event whose rule disarms it.")
    trigger: str = Field("", max_length=200, description="Of the event whose rule does anything else.")

    def events(self) -> dict[str, str]:
        """By order."""
        return {name: event for name, event in dict(self).items() if name != "device" and event}

    @model_validator(mode="after")
    def _in_pairs(self) -> "MilestoneOrders":
        if not self.events():
            raise ValueError("no order is named: give siren and stop_siren, arm and disarm, or trigger")
        if bool(self.siren) is not bool(self.stop_siren):
            raise ValueError("siren and stop_siren go together: what is sounded must be stopped")
        return self


class MilestoneSettings(SystemSettings):
    """A Milestone XProtect site with its API Gateway."""

    type: Literal["milestone"] = Field("milestone", description="Type of system.")
    url: Origin = Field(description="The API Gateway: https://xprotect.example.net.")
    username: str = Field(
        min_length=1, max_length=200, description="User made for the gateway; a Windows user as DOMAIN\\name."
    )
    password: Secret = Field(description="The user's password.")
    auth: Literal["basic", "ntlm"] = Field(
        "basic", description="basic: a user made in XProtect; ntlm: a Windows user, not passed on by the API Gateway."
    )
    management_url: Origin | None = Field(
        None, description="The Management Server, where it is not on the API Gateway's machine."
    )
    tls: SystemTlsSettings = Field(SystemTlsSettings(), description="TLS towards the servers.")
    location: Literal["groups", "site"] = Field(
        "groups", description="A camera's location: its camera group, a request for each group, or the site's name."
    )
    macs: bool = Field(True, description="Ask each hardware box, once and after changes, for MAC, serial and firmware.")
    mac_wait: Duration = Field(
        60.0, ge=0, le=3600, description="An inventory waits this long for the boxes; the rest follows with the next."
    )
    timeout: Duration = Field(30.0, ge=0.1, le=600, description="One request.")
    list_timeout: Duration = Field(180.0, ge=0.1, le=1800, description="One page of a listing; all states at once.")
    photo_timeout: Duration = Field(20.0, ge=0.1, le=120, description="One photo from a recording server.")
    export_timeout: Duration = Field(
        60.0, ge=0.1, le=600, description="One answer of a recording server during an export: a few seconds of video."
    )
    recorder_ca_file: str = Field(
        "", description="PEM file with the authority of the recording servers' certificates; absent: as tls.ca_file."
    )
    alarm_events: dict[Named, Kind] = Field(
        {},
        description='Further types of events, by name or GUID, and the kind they are: { "Input Activated" = "alarm" }.',
    )
    alarm_photos: bool = Field(True, description="A picture of the moment with each alarm of a camera.")
    alarm_photo_wait: Duration = Field(
        10.0, ge=1, le=60, description="That picture follows within this time, or there is none."
    )
    orders: list[MilestoneOrders] = Field(
        [], max_length=5000, description="What devices can be ordered; absent: nothing."
    )

    @field_validator("orders")
    @classmethod
    def _each_once(cls, value: list[MilestoneOrders]) -> list[MilestoneOrders]:
        devices = [one.device.lower() for one in value]
        if twice := sorted({one for one in devices if devices.count(one) > 1}):
            raise ValueError(f"orders name a device twice: {', '.join(twice[:5])}")
        return value

    @model_validator(mode="after")
    def _known_alarms(self) -> "MilestoneSettings":
        possible = {*EVENT_KINDS, *HEALTH_KINDS, *self.alarm_events.values()}
        for kind in self.alarms:
            if kind not in possible:
                raise ValueError(f"alarms: XProtect has no {kind} of its own; alarm_events says which event is one")
        if idle := sorted(set(self.alarm_events.values()) - set(self.alarms)):
            raise ValueError(
                f"alarm_events gives {', '.join(idle)}, which alarms does not name: nothing would come of it"
            )
        return self

    def heeds_events(self) -> bool:
        """Whether any event of its own becomes an alarm, besides those that devices' health becomes."""
        return bool(set(self.alarms) - set(HEALTH_KINDS)) or bool(self.alarm_events)
