"""What the engine asks of the rooms above it: destinations, sources, clocks; and what it offers them: the intake.

A destination says who must wait by what it raises from `deliver`:

* `LinkDown`: nobody can be told at the moment. The whole destination pauses; no attempt is used up.
* `TryLater`: this delivery failed now. Its queue waits (order), the others go on.
* `Rejected`: this delivery will never be taken. It is set aside and shown; its queue goes on.

Anything else a destination raises is a defect: the engine logs it with its trace and treats it as `TryLater`.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from tocsin.model.contact import Condition
from tocsin.model.delivery import Due, Exchange, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Address, Event, Photo


class DeliveryError(Exception):
    """Why an attempt did not end in a receipt; the text is shown to a technician."""


class LinkDown(DeliveryError):
    """No host of the destination can be reached or logged into."""


class TryLater(DeliveryError):
    """This delivery failed for now. `after_s`: the peer asked for that many seconds; None: the usual back-off."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Rejected(DeliveryError):
    """The station refuses this event for good, or it cannot be rendered for it."""


class Refused(Exception):
    """Intake does not take this event; the source must say so to its peer. The text says why."""


class IntakeClosed(Exception):
    """The store cannot keep anything at the moment, or the gateway is stopping. Nothing may be acknowledged."""


class Clock(Protocol):
    """Wall and monotonic time as arguments, so that hours can pass in milliseconds."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds; equals the running loop's time."""


class Randomness(Protocol):
    """As random.Random offers it; seeded in the simulation."""

    def random(self) -> float: ...

    def getrandbits(self, k: int, /) -> int: ...


async def _no_photos(_: int) -> Sequence[Photo]:
    return ()


class Attempt:
    """One call of `deliver`: collects what was exchanged, so that it can be seen afterwards byte for byte.

    `exchanged` takes printable text, already masked; `photos` loads the event's photos from the store, so that a
    destination without pictures never reads them. With a clock alone it belongs to no delivery.
    """

    def __init__(
        self, clock: Clock, photos: Callable[[int], Awaitable[Sequence[Photo]]] = _no_photos, seq: int = 0
    ) -> None:
        self._clock = clock
        self._photos = photos
        self._seq = seq
        self.exchanges: list[Exchange] = []

    def exchanged(self, host: str, result: str, sent: str = "", answer: str = "", note: str = "") -> None:
        """Note one try at one host. `result`: see model.delivery.Exchange."""
        self.exchanges.append(
            Exchange(at=self._clock.now(), host=host, result=result, sent=sent, answer=answer, note=note)
        )

    async def photos(self) -> Sequence[Photo]:
        return await self._photos(self._seq)


class Addressed(Struct, frozen=True):
    """Where an event would go: the address, the line in which order is kept, and where the address came from.

    `origin` is for people: "the panel's own account", "the device's description", "the destination's default".
    `problem` is set, and `address` empty, when there is no usable address; the event is then set aside with it.
    `unsupported` is set when the format has no way to say this event: it is filtered with this reason.
    `counter` names the running number the delivery takes ("" for none), within the destination.
    """

    address: str = ""
    queue: str = ""
    origin: str = ""
    counter: str = ""
    problem: str = ""
    unsupported: str = ""
    warning: str = ""


AreaAddress = Callable[[str, str], Address | None]
"""The number of an area, or of the nearest one above it, at the destination of this name."""


def no_area_address(area: str, destination: str) -> Address | None:
    """Where nobody has listed any."""
    return None


class CheckStep(Struct, frozen=True):
    """One line of `check --connect`: what was tried, how it went, and what to do if it failed."""

    what: str
    ok: bool
    detail: str = ""
    hint: str = ""


class Rendered(Struct, frozen=True):
    """What would go out: a name such as `frame` or `mail.eml`, the exact bytes, and a remark for people."""

    name: str
    data: bytes
    note: str = ""


class Destination(Protocol):
    """A monitoring station. Made by its type's `build`; lives as long as the configuration that made it."""

    name: str
    concurrency: int
    """How many deliveries may be under way at once; never two of one queue."""
    supervision_s: float | None
    """Seconds of silence after which `supervise` is called; None: this type or setting has no supervision."""

    def address(self, event: Event, device: Device | None) -> Addressed:
        """Where this event would go. Pure: no I/O, no clock.

        May look at the event's kind, state, code, source, address and place only, and at what devices and areas list:
        the answer is remembered for events that are alike in these, until a device or area changes (engine/plans.py).
        """

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        """The exact bytes that would go out now. Raises Rejected when the event cannot be expressed."""

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        """Bring the event to the station; returns only with its acknowledgement. Has its own deadlines."""

    async def supervise(self, attempt: Attempt) -> Receipt:
        """One supervision exchange. Raises LinkDown."""

    async def check(self) -> Sequence[CheckStep]:
        """DNS, TCP, TLS, login, test poll, as far as they go; sends no event and stops at the first failure."""

    def hosts_in_use(self) -> str:
        """The host the last exchange used, or the first of the ring; for people."""

    async def aclose(self) -> None: ...


@runtime_checkable
class Prompt(Destination, Protocol):
    """A destination that can send over a link that stands without waiting for anything: no task for each delivery."""

    def stands(self) -> bool:
        """Whether a link stands idle."""

    def begin(self, due: Due, attempt: Attempt, ended: Callable[[Due, Attempt, Receipt | None], None]) -> bool:
        """Send it now. `ended` is called later, once: with the receipt, or with None when there is more to do than
        take an acknowledgement; `deliver` then goes on with what was begun. False: nothing was sent, `deliver` it.
        """

    async def abandon(self) -> None:
        """Nobody goes on with anything that was begun: it will be tried anew, over other links."""


class Path(Struct, frozen=True):
    """One way to a station that is proved by itself, every `poll_s`; by its host."""

    name: str
    poll_s: float


@runtime_checkable
class ManyPaths(Destination, Protocol):
    """A destination whose paths are each proved, also those that carry nothing at the moment (EN 50136)."""

    def paths(self) -> Sequence[Path]:
        """The first one first. Empty: only the destination as a whole is supervised."""

    def proved_at(self, path: str) -> float | None:
        """When anything was last answered over it, monotonic."""

    async def prove(self, path: str, attempt: Attempt) -> Receipt:
        """One supervision exchange over this path and no other. Raises LinkDown."""


class PhotoIn(Struct, frozen=True):
    """A photo as it came in: not yet looked at."""

    data: bytes
    content_type: str = "image/jpeg"


class PhotoRefused(Struct, frozen=True):
    """`n` counts from 1 in the order they came."""

    n: int
    reason: str


class Taken(Struct, frozen=True):
    """The intake's answer: it is on disk."""

    id: str
    seq: int
    duplicate: bool
    destinations: tuple[str, ...]
    photos_refused: tuple[PhotoRefused, ...] = ()
    warnings: tuple[str, ...] = ()


class Submission(Struct, frozen=True):
    """An event on its way in. `event.id` empty: the intake gives one; so does it fill `accepted_at` and `place`.

    `digest` is of the content as submitted, and is given exactly when the id came from the source. `repeat_key` with
    `repeat_window_s` lets a source without ids recognise repeats (dc09.md 13.3). `only` names the one destination
    that gets the event, past its filter (a test). `warnings` go back with the answer. `condition` is kept with the
    event that tells it. `unanswered`: its source answers only when a station has it, so each repeat makes the window
    begin anew.
    """

    event: Event
    photos: Sequence[PhotoIn] = ()
    digest: bytes = b""
    repeat_key: bytes = b""
    repeat_window_s: float = 0.0
    only: str = ""
    warnings: tuple[str, ...] = ()
    condition: Condition | None = None
    unanswered: bool = False


class Intake(Protocol):
    """The one door by which events come in."""

    async def accept(self, submission: Submission) -> Taken:
        """Returns when the event is on disk. Raises Refused, IntakeClosed: then nothing was kept."""

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        """The same for a batch, in one transaction."""

    async def add_photos(
        self, event_id: str, photos: Sequence[PhotoIn], last: bool = False
    ) -> Sequence[PhotoRefused] | None:
        """Photos that come after their event, which said by `photos_expected` that they would. `last`: no more come,
        so nobody waits for any longer. None if the event is not there. Raises IntakeClosed.
        """

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        """Whether a station has acknowledged each of these events, or no destination owes it; waits at most so long."""


class Supervised(Struct, frozen=True):
    """Something a source must hear from: silent for `interval_s` plus `allowance_s`, it is lost (dc09.md 11).

    `path` names it for people where a panel has two. `first` is the subject of the first path: while that is lost,
    this one may be silent for `alone_s` only.
    """

    subject: str
    interval_s: float
    allowance_s: float = 30.0
    address: Address | None = None
    area: str = ""
    path: str = ""
    first: str = ""
    alone_s: float = 0.0


class SourceState(Struct, frozen=True):
    """One supervised account or connection of a source, for pages and metrics."""

    subject: str
    up: bool
    last_heard: datetime | None
    detail: str = ""


class Source(Protocol):
    """Where events come from. `run` ends by cancellation only; its state can be seen."""

    name: str

    async def run(self, intake: Intake) -> None:
        """Listen and hand over until cancelled. Raises OSError if the listening address cannot be had."""

    def states(self) -> Sequence[SourceState]: ...

    def supervised(self) -> Sequence[Supervised]: ...


ORIGIN_OWN = "the event's own address"
ORIGIN_TAG = "the device's description"
ORIGIN_DEVICE = "the device's address list"
ORIGIN_AREA = "the area's address list"
ORIGIN_DEFAULT = "the destination's default"


def printed_address(address: Address) -> str:
    """The one printed form, R1L234#567890|00-001, used in the outbox, on pages and by `explain`."""
    return str(address)
