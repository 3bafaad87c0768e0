"""What every `[[sources]]` table may say, whatever its type."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints

from tocsin.config.fields import Duration, Settings
from tocsin.config.listening import Listen

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""Names of sources: they appear in metrics and as the source of events."""


def require_each_once(subjects: Iterable[str]) -> None:
    """Raises ValueError that names the accounts given twice, in letters of either case."""
    counted = Counter(subject.upper() for subject in subjects)
    twice = sorted(subject for subject, count in counted.items() if count > 1)
    if twice:
        raise ValueError(f"these accounts are given twice: {', '.join(twice)}")


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
    acknowledge: Literal["stored", "delivered"] = Field(
        "stored",
        description="When the sender is told that its event was taken: when it is on disk, or when a station has it.",
    )
    delivered_within: Duration = Field(
        15.0,
        ge=1,
        le=60,
        description="With delivered: the longest wait for a station. Less than the sender waits for its answer; then "
        "the sender must try again.",
    )
    on_start_error: Literal["fail", "retry", "disable"] = Field(
        "fail", description="What `run` does when this entry cannot be used."
    )

    def listening(self) -> list[Listening]:
        """Where it listens; a source that only connects listens nowhere."""
        return [Listening(self.listen, "tcp")]
