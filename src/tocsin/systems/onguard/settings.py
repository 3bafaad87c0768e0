"""What a `[[systems]]` table with type = "onguard" may say."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.model.kinds import Kind
from tocsin.systems.settings import HealthSettings, SystemSettings, SystemTlsSettings
from tocsin.transports.http import endpoint_of

PATH = "/api/access/onguard/openaccess"
"""Where OpenAccess stands on a server by itself (connectors.md 5.2)."""
PanelSort = Literal["access_control", "intrusion", "recorder"]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _server(text: str) -> str:
    """Host and path of OpenAccess; its usual path where none is given. Raises ValueError."""
    endpoint_of(text)
    parts = urlsplit(text)
    if not re.fullmatch(r"[\x21-\x7e]{1,2000}", text) or parts.username or parts.query or parts.fragment:
        raise ValueError("give the address only, https://HOST:8080; user and password are settings of their own")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path or PATH}"


ServerUrl = Annotated[str, AfterValidator(_server)]


class OnGuardHealthSettings(HealthSettings):
    """States are polled; events only say when to look earlier."""

    mode: Literal["events", "poll", "off"] = Field(
        "events", description="events: polled, and looked at at once when the event log points to a device."
    )
    every: Duration = Field(
        120.0, ge=1, le=86_400, description="How often all hardware is asked; longer by itself for many devices."
    )
    hint_every: Duration = Field(15.0, ge=1, le=3600, description="With events: how often the event log is looked at.")
    settle: Duration = Field(
        5.0, ge=0, le=60, description="Wait between asking a panel to report and reading what it reported."
    )
    hints: list[Text] = Field(
        ["communications lost", "communications restored", "communications with host lost", "offline", "online"],
        description="Texts of logged events that point to a change, as parts, in any case. Unconfirmed.",
    )
    cascade_offline: bool = Field(True, description="Devices on an offline panel count as offline; false: as unknown.")


class AmqpSettings(Settings):
    """The message bus, for events that become alarms. Login, host and the messages' form are unconfirmed."""

    username: str = Field(min_length=1, max_length=200, description="User at the message broker.")
    password: Secret = Field(description="Password at the message broker.")
    virtual_host: str = Field("/", min_length=1, max_length=200, description="Virtual host of the broker.")
    host: str = Field("", max_length=253, description="Broker, where it is not the one that the subscription names.")
    port: int = Field(0, ge=0, le=65535, description="Its port, where it is not the one that the subscription names.")
    tls: SystemTlsSettings = Field(SystemTlsSettings(), description="TLS towards the broker, where it asks for it.")
    plain: bool = Field(False, description="true: allow a broker without TLS; login and events travel readable.")
    filter: str = Field("", max_length=1000, description="Filter of the subscription, as OnGuard writes it.")
    fields: dict[str, Text] = Field(
        {}, description='Names in the messages that differ from those of logged events: { event_text = "EventText" }.'
    )


class OnGuardSettings(SystemSettings):
    """A Lenel OnGuard with OpenAccess."""

    type: Literal["onguard"] = Field("onguard", description="Type of system.")
    url: ServerUrl = Field(description="OpenAccess: https://onguard.example.net:8080; its usual path is added.")
    more_urls: list[ServerUrl] = Field(
        [], max_length=8, description="Further servers of the same system, asked in turn when the first is gone."
    )
    application_id: Secret = Field(description="The Application-Id that Lenel has issued for this gateway.")
    directory: str = Field("<Internal>", min_length=1, max_length=200, description="Directory the user belongs to.")
    username: str = Field(min_length=1, max_length=200, description="The gateway's user in OnGuard.")
    password: Secret = Field(description="Its password.")
    tls: SystemTlsSettings = Field(SystemTlsSettings(), description="TLS towards OpenAccess.")
    timeout: Duration = Field(35.0, ge=1, le=120, description="One request; OnGuard itself gives up after 30 s.")
    ip_byte_order: Literal["auto", "little", "big"] = Field(
        "auto", description="How numbers become IP addresses; auto: the way that gives more private addresses."
    )
    panel_types: dict[str, PanelSort] = Field(
        {}, description='What panels of a PanelType are, where not access control: { "12" = "intrusion" }.'
    )
    alarm_texts: dict[str, Kind] = Field(
        {}, description='Further texts of events and their kind: { "door forced" = "door_forced" }; part of the text.'
    )
    health: OnGuardHealthSettings = Field(OnGuardHealthSettings(), description="How online and offline are noticed.")
    catch_up: Duration = Field(
        900.0, ge=0, le=86_400, description="After a start: how old events of the event log may be to become alarms."
    )
    amqp: AmqpSettings | None = Field(
        None, description="Take events that become alarms from the message bus; without it the event log is read."
    )
    commands: bool = Field(False, description="true: outputs and intrusion areas may be operated through the gateway.")

    def zone(self) -> ZoneInfo:
        """Of times that OnGuard writes without one."""
        return ZoneInfo(self.time_zone or "UTC")
