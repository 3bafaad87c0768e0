"""What every `[[sources]]` table may say, whatever its type."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints

from tocsin.config.fields import Settings
from tocsin.config.listening import Listen

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""Names of sources: they appear in metrics and as the source of events."""


class Listening(NamedTuple):
    """An address a source listens on, `host:port`."""

    address: str
    over: Literal["tcp", "udp"]


class ListenTlsSettings(Settings):
    """TLS of a listener."""

    cert: str = Field(description="PEM file: the certificate, then its chain.")
    key: str = Field(description="PEM file of the certificate's key, not encrypted.")
    client_ca: str = Field("", description="PEM file: only clients with a certificate of this authority are served.")


class SourceSettings(Settings):
    """Shared part; each type adds its own fields in its folder's settings.py."""

    name: Name = Field(description="Name of this source, unique.")
    type: str = Field(description="Type of source.")
    listen: Listen = Field(description="Address and port to listen on.")
    on_start_error: Literal["fail", "retry", "disable"] = Field(
        "fail", description="What `run` does when this entry cannot be used."
    )

    def listening(self) -> list[Listening]:
        """Where it listens; a source that only connects listens nowhere."""
        return [Listening(self.listen, "tcp")]


def refused(setting: str, value: Any, allowed: Any, reason: str) -> Any:
    """For settings that exist in the configuration's form but not yet in the program. Raises ValueError."""
    if value != allowed:
        raise ValueError(f'{setting} = "{value}" is not available: {reason}; leave it out or write "{allowed}"')
    return value
