"""What every `[[destinations]]` table may say, whatever its type."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from tocsin.config.fields import Duration, Secret, Settings
from tocsin.config.hosts import CertificateName
from tocsin.destinations.doubts import Doubt
from tocsin.engine.backoff import Retry
from tocsin.engine.routing import Filter, RoutineRule
from tocsin.model.kinds import KINDS, ActorClass, Kind, KindGroup, State, kinds_of
from tocsin.protocols.addressing import Number
from tocsin.transports.contract import TlsOptions

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""Names of destinations and sources: they appear in metrics, addresses and file names."""


KindName = Literal[Kind, KindGroup]


def _bike(value: object) -> object:
    """The station's word for it (stations.md 10)."""
    return "bicycle" if value == "bike" else value


def require_kinds(names: Iterable[str], restores: bool = False) -> None:
    """Raises ValueError for a name that is no event kind; with `restores` it may have .restore behind it."""
    for name in names:
        if (name.removesuffix(".restore") if restores else name) not in KINDS:
            more = ", nor one with .restore behind it" if restores else ""
            raise ValueError(f"{name!r} is no event kind{more}")


class FilterSettings(Settings):
    """Which events this destination gets; all conditions must hold, inside one list one match is enough."""

    kinds: list[KindName] | None = Field(
        None, description="Event kinds, or groups of them, to forward; absent: all but snapshot."
    )
    exclude_kinds: list[KindName] = Field([], description="Event kinds, or groups of them, not to forward.")
    states: list[State] | None = Field(
        None, description='Only these states; absent: new, restore and still. ["new"] leaves out restores.'
    )
    routine_checks: RoutineRule = Field(
        "period",
        description="At most one per device and its own period (routine of the device, without it an hour), "
        '"hourly", "daily"; "all" or "off".',
    )
    actors: list[Annotated[ActorClass, BeforeValidator(_bike)]] | None = Field(
        None, description="For motion: at least one of these must be seen; vehicle stands for all but person."
    )
    min_confidence: float = Field(0.0, ge=0, le=1, description="For motion with actors: the least confidence.")
    areas: list[str] | None = Field(None, description="Only these areas and those below them.")
    exclude_areas: list[str] = Field([], description="Not these areas and those below them.")
    sources: list[str] | None = Field(None, description="Only events of these sources (token or source names).")

    def rule(self) -> Filter:
        return Filter(
            kinds=None if self.kinds is None else kinds_of(self.kinds),
            exclude_kinds=kinds_of(self.exclude_kinds),
            states=None if self.states is None else frozenset(self.states),
            routine_checks=self.routine_checks,
            actors=None if self.actors is None else frozenset(self.actors),
            min_confidence=self.min_confidence,
            areas=None if self.areas is None else frozenset(self.areas),
            exclude_areas=frozenset(self.exclude_areas),
            sources=None if self.sources is None else frozenset(self.sources),
        )


class RetrySettings(Settings):
    """How failed deliveries are tried again."""

    first: Duration = Field(1.0, description="Wait after the first failure.")
    longest: Duration = Field(60.0, description="The longest wait between two attempts.")
    expire: Duration = Field(86400.0, gt=0, description="Give up this long after the event was accepted, and say so.")

    def rule(self) -> Retry:
        return Retry(first_s=self.first, longest_s=self.longest, expire_s=self.expire)


class TlsSettings(Settings):
    """TLS towards the station. For a private authority give the complete chain (stations.md 9)."""

    ca_file: str = Field("", description="PEM file with the station's authority, complete chain.")
    cert: str = Field("", description="PEM file of the client certificate, where the station asks for one.")
    key: str = Field("", description="PEM file of the client certificate's key.")
    server_name: CertificateName = Field("", description="Name the certificate must carry, where it is not the host's.")
    pin: str = Field("", pattern=r"^([0-9A-Fa-f]{64})?$", description="SHA-256 of the station's certificate.")
    insecure: bool = Field(False, description="true switches verification off; shown on every page.")

    @model_validator(mode="after")
    def _pair(self) -> "TlsSettings":
        if bool(self.cert) != bool(self.key):
            raise ValueError("cert and key belong together: give both or neither")
        return self

    def options(self) -> TlsOptions:
        return TlsOptions(self.ca_file, self.cert, self.key, self.server_name, self.pin.lower(), self.insecure)


class DestinationSettings(Settings):
    """Shared part; each type adds its own fields in its folder's settings.py."""

    default_key: ClassVar[str] = "account"
    """The key that sets the default address, for hints; "": the type has none."""

    name: Name = Field(description="Name of this destination, unique.")
    type: str = Field(description="Type of station.")
    filter: FilterSettings = Field(FilterSettings(), description="Which events it gets.")
    retry: RetrySettings = Field(RetrySettings(), description="How failed deliveries are tried again.")
    links: bool | None = Field(
        None,
        description="Tell this station the event's login-free page instead of the source's own URL; absent: only where "
        "nobody on the way can read it.",
    )
    on_test: Literal["mark", "hold"] | None = Field(
        None,
        description="Events while on test: mark sends them as tests, hold keeps them back; absent: mark where the "
        "format can say so.",
    )
    on_missing_address: Literal["default", "error", "drop"] = Field(
        "default",
        description="An event whose device and area have no address here: goes to the default address; is set aside "
        "and shown; or is filtered. The gateway's own events always go to the default address.",
    )
    on_start_error: Literal["fail", "retry", "disable"] = Field(
        "fail", description="What `run` does when this entry cannot be used."
    )

    def hold_s(self) -> float:
        """How long an event is held for late classification or photos (stations.md 1.4)."""
        return 10.0

    def wants_photos(self) -> bool:
        return False

    def is_cloud(self) -> bool:
        """Whether it is told of inventories and health, and of nothing else."""
        return False

    def most_waiting(self) -> int:
        """How many deliveries may wait before a cloud's outbox is compacted; 0: any number."""
        return 0

    def carries_links(self) -> bool:
        return self._encrypted() if self.links is None else self.links

    def says_test(self) -> bool:
        """Whether events on test go out, marked as such."""
        return self.can_say_test() if self.on_test is None else self.on_test == "mark"

    def can_say_test(self) -> bool:
        """Whether the station's software sees that an event is a test, so that nobody is sent out."""
        return False

    def _encrypted(self) -> bool:
        """Goes by names that mean the same in every type: `url`, `urls`, `key`, `tls`."""
        urls = [str(url) for url in (getattr(self, "url", ""), *getattr(self, "urls", ())) if url]
        if urls or getattr(self, "key", None) is not None:
            return not any(url.startswith("http://") for url in urls)
        tls = getattr(self, "tls", None)
        return getattr(tls, "mode", "off" if tls is None else "required") in ("required", "implicit")

    def default_address(self) -> Number | None:
        """Where an event goes that has no address of its own."""
        return None

    def host_s(self) -> float:
        """The longest that one of several hosts may stay silent before the next is tried; 0: not one after another."""
        return 0.0

    def doubts(self) -> list[Doubt]:
        """What this type can read but will hardly do what is meant, besides `common_doubts`."""
        return []

    def secrets(self) -> list[Secret]:
        """Every secret of this entry, for masking in traces."""
        return [value for value in _walk(self) if isinstance(value, Secret)]


def _walk(value: Any) -> list[Any]:
    if isinstance(value, Settings):
        return [leaf for name in type(value).model_fields for leaf in _walk(getattr(value, name))]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _walk(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _walk(item)]
    return [value]
