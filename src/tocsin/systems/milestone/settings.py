"""What a `[[systems]]` table of type milestone may say."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tocsin.config.fields import Duration, Secret
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
