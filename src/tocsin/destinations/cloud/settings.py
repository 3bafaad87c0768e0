"""What a `[[destinations]]` table of type cloud may say."""

import re
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tocsin.config.fields import Duration, Secret
from tocsin.destinations.posting import HttpUrl
from tocsin.destinations.settings import DestinationSettings, RetrySettings, TlsSettings

Profile = Literal["brief", "extended"]
_ONE_LINE = re.compile(r"[\x21-\x7e]{1,4000}\Z")


class CloudRetrySettings(RetrySettings):
    """As everywhere, with the times a cloud's outage takes (connectors.md 2.7)."""

    longest: Duration = Field(300.0, description="The longest wait between two attempts.")
    expire: Duration = Field(604800.0, gt=0, description="Give up this long after the event was accepted, and say so.")


class CloudSettings(DestinationSettings):
    """A service cloud: devices with their customers, and their going offline and online."""

    default_key: ClassVar[str] = ""
    type: Literal["cloud"] = Field("cloud", description="Type of station.")
    profile: Profile = Field(
        "brief", description="brief: exactly the agreed keys; extended: provenance, reasons and removals besides."
    )
    inventory_url: HttpUrl = Field(description="Where inventories are POSTed, http:// or https://.")
    events_url: HttpUrl = Field(description="Where health events are POSTed; may be the same.")
    sources_url: HttpUrl | None = Field(
        None, description="Where the state of systems themselves is POSTed, with profile extended; absent: not told."
    )
    token: Secret | None = Field(None, description="Bearer token.")
    customer_in_events: bool = Field(
        True, description="false: health events without customer_id, for a receiver that refuses keys it does not know."
    )
    gzip: bool = Field(False, description="true: bodies above 16 KiB are sent with Content-Encoding: gzip.")
    max_devices: int = Field(500, ge=1, le=10_000, description="Devices in one part of an extended inventory.")
    max_events: int = Field(
        1, ge=1, le=500, description='Health events in one request, {"events": […]}, once more than 20 wait; 1: never.'
    )
    max_waiting: int = Field(
        20_000, ge=100, le=1_000_000, description="When more waits, only the newest states of each device are kept."
    )
    tls: TlsSettings = Field(TlsSettings(), description="TLS, for https.")
    timeout: Duration = Field(30.0, ge=0.1, le=60, description="One request, from connecting to its answer's end.")
    concurrency: int = Field(4, ge=1, le=64, description="Requests at once; never two of one device.")
    retry: RetrySettings = Field(CloudRetrySettings(), description="How failed deliveries are tried again.")

    @field_validator("retry", mode="before")
    @classmethod
    def _cloud_times(cls, table: object) -> object:
        return CloudRetrySettings.model_validate(table) if isinstance(table, dict) else table

    @field_validator("token")
    @classmethod
    def _sendable(cls, token: Secret | None) -> Secret | None:
        if token is not None and not _ONE_LINE.match(token.reveal()):
            raise ValueError("the token is not plain ASCII without blanks")
        return token

    @model_validator(mode="after")
    def _told_in_extended(self) -> "CloudSettings":
        if self.sources_url is not None and self.profile != "extended":
            raise ValueError('sources_url goes with profile = "extended": the brief has no words for a system itself')
        return self

    def most_waiting(self) -> int:
        return self.max_waiting

    def hold_s(self) -> float:
        """Nothing of a health event comes late."""
        return 0.0

    def is_cloud(self) -> bool:
        return True

    def says_test(self) -> bool:
        """A device's state is no alarm: nobody is sent out for it, so it is told unless hold is said."""
        return self.on_test != "hold"

    def carries_links(self) -> bool:
        return False
