"""What the engine asks of a connector to an on-prem system (connectors.md 3.2).

A connector yields the source's facts: it stores nothing, delivers nothing and knows no customer.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from tocsin.engine.contracts import CheckStep, Intake
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note, SourceStatus

Capability = Literal[
    "inventory", "baseline", "events", "photo", "recordings", "export", "commands", "alarms", "blindness"
]
"""`blindness`: it judges by itself whether devices that do not answer are off or it is cut off from them."""


class SystemFault(Exception):
    """Why a system could not be read; the text is a sentence a technician can act on."""

    status: SourceStatus = "unreachable"


class Unreachable(SystemFault):
    """Name, connection, deadline: tried again with back-off (connectors.md 3.3)."""


class Misconfigured(SystemFault):
    """Certificate, address or setting: nothing changes before somebody changes it."""

    status: SourceStatus = "misconfigured"


class LoginRefused(SystemFault):
    """Wrong password or locked account: at most three attempts, then 15 minutes, then an hour."""

    status: SourceStatus = "auth_failed"


class LicenceRefused(SystemFault):
    status: SourceStatus = "licence_refused"


class ProtocolFault(SystemFault):
    """The system answers something that cannot be read."""

    status: SourceStatus = "degraded"


class NotSupported(SystemFault):
    """This system or version cannot do it; the caller uses another way."""

    status: SourceStatus = "ok"


class UnknownDevice(SystemFault):
    """The system has no device under this key."""

    status: SourceStatus = "ok"


class Span(Struct, frozen=True):
    """From and to, aware UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


Codec = Literal["h264", "h265", "jpeg", "aac"]


class Frame(Struct, frozen=True):
    """One access unit as the recorder holds it, untouched: H.264 and H.265 with Annex B start codes, SEI units and
    NAL order as recorded; AAC with its ADTS header. In decoding order. `at` is the recorder's time, aware UTC.
    """

    at: datetime
    codec: Codec
    key: bool
    data: bytes


class System(Protocol):
    """One on-prem system. Cancellable at every wait; every wait has a deadline. What it cannot do is not in
    `capabilities` and raises NotSupported.
    """

    name: str
    type: str
    capabilities: frozenset[Capability]

    async def check(self) -> Sequence[CheckStep]:
        """Name, TCP, TLS, login, version, licence, rights, clock: up to the first failure, with its remedy."""

    def devices(self) -> AsyncIterator[FoundDevice | Note]:
        """The whole inventory. Raises SystemFault when it could not be read; a Note with `partial` when it is not
        complete.
        """

    def baseline(self) -> AsyncIterator[FoundState]:
        """The state of every device now."""

    def states(self) -> AsyncIterator[FoundState | Marker]:
        """Changes as they happen, until cancelled; reconnects by itself and says so by markers. Subscribes before it
        yields `new_session`, so that a baseline read after that misses nothing (connectors.md 2.5).
        """

    async def alarms(self, intake: Intake) -> None:
        """Hands the system's events that are to become alarms to the intake, until cancelled."""

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        """A JPEG of a camera, now or from its recording. Raises SystemFault."""

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        """The unbroken stretches that are held of a camera within the span, clipped to it, oldest first. Raises
        SystemFault; UnknownDevice when the system has no such camera.
        """

    def extents(self, native_keys: Sequence[str]) -> AsyncIterator[tuple[str, Span]]:
        """From the first to the last recording of each of these cameras, as the system tells them, with a question or
        two for each at most; those of which it tells nothing are left out. Raises nothing of the system's.
        """

    def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        """What was recorded, from the key frame at or before the start to the first frame after the end. The caller
        closes it; a silence longer than the connector's deadline raises Unreachable.
        """

    async def command(self, kind: str, native_key: str, order: str) -> str:
        """Carry out an order (`siren`, `stop_siren`, `arm`, `disarm`, `trigger`); what the system answered."""

    async def aclose(self) -> None:
        """Log out and unsubscribe, within two seconds."""
