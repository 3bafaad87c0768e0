"""The one door by which events come in: looked at, routed, made durable with what is owed, then answered."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.contracts import (
    Addressed,
    Clock,
    IntakeClosed,
    PhotoIn,
    PhotoRefused,
    Submission,
    Taken,
)
from tocsin.engine.devices import DeviceBook
from tocsin.engine.numbers import Numbers
from tocsin.engine.on_test import held_back, marked
from tocsin.engine.plans import Planned, Plans, planned
from tocsin.engine.proofs import Proofs
from tocsin.engine.repeats import Repeats
from tocsin.engine.routine import KIND as ROUTINE
from tocsin.engine.routine import RoutineChecks, Sent
from tocsin.engine.routing import GATEWAY, Route, Verdict, held, judge, unfiltered, waits
from tocsin.model.delivery import DeliveryKey, Due, Owed
from tocsin.model.event import Event, Photo, Place
from tocsin.model.on_test import OnTest
from tocsin.store.contract import Accepted, Arrival, Store, StoreUnavailable
from tocsin.telemetry.occurrences import DeliveriesFiltered, EventAccepted, EventOnTest, TaskFailed
from tocsin.telemetry.record import Recorder

MOST_PHOTOS = 20
MOST_PHOTO_BYTES = 1_000_000
PHOTO_LIMIT_S = 5.0
"""No alarm waits longer for its pictures to be looked at and made smaller."""
AT_A_STRETCH = 100
"""Events of one batch that are routed before others have a turn."""

PhotoCheck = Callable[[PhotoIn], Awaitable["bytes | str"]]
"""A picture fit to keep as bytes, or in words why it is refused. Slow work is done elsewhere (media/)."""


LatePhotos = Callable[[str, Sequence[PhotoIn], bool], Awaitable[Sequence[PhotoRefused] | None]]
_Numbered = tuple[int, Submission]
Promised = dict[int, "tuple[bytes, asyncio.Future[Taken]]"]
"""By place in the batch: what repeats of a submission under way are recognised by, and what they wait for."""


class IntakeParts(NamedTuple):
    """What the intake works with. `kept` hears of every event that became durable; `owes` of every delivery.

    `missed` is called when other events were committed before this one than were told of; `doubt` when a commit's
    answer was a failure, so that it may be on disk or not. `on_test` names the tests an event is under; `new_link`
    gives the token of an event's page. `pictured` gets the photos of what became durable, before anybody hears of it.
    """

    store: Store
    clock: Clock
    new_id: Callable[[], str]
    record: Recorder
    devices: DeviceBook
    photo_check: PhotoCheck
    kept: Callable[[Accepted], None]
    owes: Callable[[Due], None]
    missed: Callable[[], None] = lambda: None
    doubt: Callable[[], None] = lambda: None
    on_test: Callable[[Event], Sequence[OnTest]] = lambda _: ()
    new_link: Callable[[], str] = lambda: ""
    pictured: Callable[[int, Sequence[Photo]], None] = lambda *_: None


class Door:
    """The intake (engine/contracts.py, Intake). `late_photos` adds them to an event that is kept."""

    def __init__(self, parts: IntakeParts, routes: Sequence[Route]) -> None:
        self._parts = parts
        self._store = parts.store
        self._routes = tuple(routes)
        self._links = any(route.links for route in self._routes)
        self._numbers = Numbers(parts.store)
        self._plans = Plans(self._routes, parts.devices)
        self._routine = RoutineChecks(parts.devices)
        self._repeats = Repeats()
        self.proofs = Proofs(parts.store)
        self._keeping: set[asyncio.Task[dict[int, Taken]]] = set()
        self._last_told = 0
        self.late_photos: LatePhotos = _nothing_kept
        self.open = True

    async def kept(self) -> None:
        """Waits until what is on its way to the disk has arrived."""
        if self._keeping:
            await asyncio.wait(self._keeping)

    async def remember(self, sources: Mapping[str, datetime]) -> None:
        """After a start: what each source said since then, so that its repeats are still known."""
        for source, since in sources.items():
            for key, at, seq in await self._store.recent_repeats(source, since):
                taken: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
                taken.set_result(Taken("", seq, True, ()))
                self._repeats.remember(_scoped(source, key), at, taken)

    def explain(self, event: Event) -> list[Verdict]:
        """Every destination's verdict on an event, in the order of the configuration."""
        withheld = self._parts.devices.armings.withheld(event)
        if withheld:
            return [Verdict(route.name, False, withheld) for route in self._routes]
        lineage = self._parts.devices.areas.lineage(event.place.area)
        return [judge(route, event, lineage) for route in self._routes]

    def complete(self, event: Event) -> Event:
        """The event with what the gateway knows of its device."""
        return replace(event, place=self._place(event), flags=self._flags(event))

    def _place(self, event: Event) -> Place:
        return self._parts.devices.place(event.device_id, event.place.area)

    def _flags(self, event: Event) -> tuple[str, ...]:
        devices, own = self._parts.devices, event.source == GATEWAY  # whose destinations are devices here
        known = own or not event.device_id or event.address is not None or event.device_id in devices
        return event.flags if known else (*event.flags, "unknown_device")

    async def accept(self, submission: Submission) -> Taken:
        (taken,) = await self.accept_many([submission])
        return taken

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        if not self.open:
            raise IntakeClosed("the gateway is stopping")
        if not self._store.writable():
            raise IntakeClosed("the store cannot write at the moment")
        try:
            return await self._accept(submissions)
        except StoreUnavailable as error:
            raise IntakeClosed(str(error)) from error

    async def add_photos(
        self, event_id: str, photos: Sequence[PhotoIn], last: bool = False
    ) -> Sequence[PhotoRefused] | None:
        try:
            return await self.late_photos(event_id, photos, last)
        except StoreUnavailable as error:
            raise IntakeClosed(str(error)) from error

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        return await self.proofs.all_delivered(taken, within_s)

    async def _accept(self, submissions: Sequence[Submission]) -> list[Taken]:
        now, new_future = self._parts.clock.now(), asyncio.get_running_loop().create_future
        answers: list[asyncio.Future[Taken] | None] = [None] * len(submissions)
        fresh: list[_Numbered] = []
        promised: Promised = {}
        for place, submission in enumerate(submissions):
            if submission.repeat_key:
                key = _scoped(submission.event.source, submission.repeat_key)
                earlier = self._repeats.earlier(key, submission.repeat_window_s, now)
                if earlier is not None:
                    answers[place] = earlier
                    if submission.unanswered:
                        self._repeats.said_again(key, now)
                    continue
                promise: asyncio.Future[Taken] = new_future()
                answers[place] = promise
                self._repeats.remember(key, now, promise)
                promised[place] = (key, promise)
            fresh.append((place, submission))
        taken = await self._keep_for_sure(fresh, promised, now) if fresh else {}
        return [
            taken[place] if place in taken else replace(await _answered(answer), duplicate=True)
            for place, answer in enumerate(answers)
        ]

    async def _keep_for_sure(self, fresh: Sequence[_Numbered], promised: Promised, now: datetime) -> dict[int, Taken]:
        """Goes on when the caller is cancelled: what may reach the disk must reach the pumps and its repeats too."""
        keeping = asyncio.create_task(self._keep_or_break(fresh, promised, now))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._end_keeping)
        return await asyncio.shield(keeping)

    def _end_keeping(self, keeping: "asyncio.Task[dict[int, Taken]]") -> None:
        self._keeping.discard(keeping)
        if not keeping.cancelled():
            keeping.exception()  # the caller may have gone

    async def _keep_or_break(self, fresh: Sequence[_Numbered], promised: Promised, now: datetime) -> dict[int, Taken]:
        try:
            taken = await self._keep(fresh, now)
        except BaseException as error:
            for key, promise in promised.values():
                self._repeats.forget(key, promise)
                promise.set_exception(IntakeClosed(f"the first of its kind was not kept: {error}"))
                promise.exception()
            raise
        for place, (_, promise) in promised.items():
            promise.set_result(taken[place])
        return taken

    async def _keep(self, fresh: Sequence[_Numbered], now: datetime) -> dict[int, Taken]:
        photos, refused = await self._pictures(fresh)
        arrivals: list[Arrival] = []
        checks: Sent = {}
        for n, (place, submission) in enumerate(fresh, 1):
            arrivals.append(await self._arrival(submission, photos.get(place, ()), now, checks))
            if n % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        try:
            kept = await self._store.accept(arrivals)
        except StoreUnavailable:
            self._parts.doubt()
            raise
        answers: dict[int, Taken] = {}
        for (place, submission), accepted in zip(fresh, kept, strict=True):
            if place in photos and not accepted.duplicate:
                self._parts.pictured(accepted.seq, photos[place])
            self._tell(accepted)
            answers[place] = Taken(
                accepted.event.id,
                accepted.seq,
                accepted.duplicate,
                tuple([one.destination for one in accepted.owed if one.state != "filtered"]),
                tuple(refused.get(place, ())),
                submission.warnings,
            )
        self._count(kept)
        return answers

    def _count(self, kept: Sequence[Accepted]) -> None:
        fresh = [one.event for one in kept if not one.duplicate]
        counts = Counter([(event.source, event.kind) for event in fresh])
        for (source, kind), count in counts.items():
            self._parts.record(EventAccepted(source, kind, count))
        for event in fresh:
            if event.flags and event.under_test:
                self._parts.record(EventOnTest(event.source, event.kind))
        filtered = Counter([owed.destination for one in kept for owed in one.owed if owed.state == "filtered"])
        for destination, count in filtered.items():
            self._parts.record(DeliveriesFiltered(destination, count))

    async def _pictures(
        self, fresh: Sequence[_Numbered]
    ) -> tuple[dict[int, list[Photo]], dict[int, list[PhotoRefused]]]:
        """Those to keep and those refused, by place in the batch."""
        pictured = [(place, submission.photos) for place, submission in fresh if submission.photos]
        if not pictured:
            return {}, {}
        vetted = await asyncio.gather(*(self._vet(photos) for _, photos in pictured))
        places = [place for place, _ in pictured]
        return (
            {place: good for place, (good, _) in zip(places, vetted, strict=True)},
            {place: refused for place, (_, refused) in zip(places, vetted, strict=True)},
        )

    async def _vet(self, pictures: Sequence[PhotoIn]) -> tuple[list[Photo], list[PhotoRefused]]:
        """A broken picture costs the picture, never the alarm."""
        found = await asyncio.gather(*(self._checked(picture) for picture in pictures[:MOST_PHOTOS]))
        fit = [each for each in found if not isinstance(each, str)]
        good = [Photo(n, data, sha256(data).hexdigest()) for n, data in enumerate(fit, 1)]
        refused = [PhotoRefused(n, each) for n, each in enumerate(found, 1) if isinstance(each, str)]
        surplus = f"more than {MOST_PHOTOS} photos with one event"
        refused += [PhotoRefused(n, surplus) for n in range(MOST_PHOTOS + 1, len(pictures) + 1)]
        return good, refused

    async def _checked(self, picture: PhotoIn) -> bytes | str:
        try:
            async with asyncio.timeout(PHOTO_LIMIT_S):
                return await self._parts.photo_check(picture)
        except TimeoutError:
            return f"it could not be looked at within {PHOTO_LIMIT_S:g} s"
        except Exception as error:  # noqa: BLE001 - a picture must never cost the alarm
            trace = "".join(traceback.format_exception(error))
            self._parts.record(TaskFailed("photo check", f"{type(error).__name__}: {error}", trace, 0.0))
            return f"internal error: {type(error).__name__}"

    async def vet(self, pictures: Sequence[PhotoIn], first: int) -> tuple[list[Photo], list[PhotoRefused]]:
        """The same for pictures that come later; numbered from `first`."""
        good, refused = await self._vet(pictures)
        return [replace(photo, n=first + place) for place, photo in enumerate(good)], refused

    async def _arrival(self, submission: Submission, photos: Sequence[Photo], now: datetime, checks: Sent) -> Arrival:
        given = submission.event
        event = replace(
            given,
            id=given.id or self._parts.new_id(),
            accepted_at=now,
            photos=len(photos),
            place=self._place(given),
            flags=self._flags(given),
        )
        tests = self._parts.on_test(event)
        event = marked(event, tests) if tests else event
        shares = self._only(event, submission.only) if submission.only else self._plans.of(event)
        withheld = self._parts.devices.armings.withheld(event) if event.kind == "motion" else ""
        if withheld:
            shares = [replace(share, owed=_filtered(share.owed, withheld), scope="") for share in shares]
        shares = held_back(shares, tests) if tests else shares
        if event.kind == ROUTINE and not submission.only:
            # One with an id of its own may be a repeat: then it does not go, and must not hold back another.
            shares = self._routine.thinned(event, shares, {} if submission.digest else checks)
        owed = [self._owed_now(share, event) or await self._owed(share, event) for share in shares]
        return Arrival(
            self._linked(event, shares),
            photos,
            owed,
            submission.digest,
            _alternate_id(event, submission.digest) if submission.digest else "",
            submission.repeat_key,
            submission.condition,
        )

    def _linked(self, event: Event, shares: Sequence[Planned]) -> Event:
        """With a page of its own, if somebody will be told of it; there is nothing to see of the gateway's own."""
        if not self._links or event.source == GATEWAY:
            return event
        carried = any(share.route.links and share.owed.state == "pending" for share in shares)
        return replace(event, link=self._parts.new_link()) if carried else event

    def _only(self, event: Event, name: str) -> list[Planned]:
        """A test: to one destination, past its filter."""
        return [planned(route, unfiltered(route, event), event) for route in self._routes if route.name == name]

    def _owed_now(self, share: Planned, event: Event) -> Owed | None:
        """What one destination is owed; None when a block of numbers must be reserved first."""
        found = share.owed
        if share.scope:
            number = self._numbers.at_hand(share.scope)
            if not number:
                return None
            found = Owed(found.destination, found.lane, "pending", found.address, found.queue, number)
        return held(share.route, event, found) if found.state == "pending" and waits(share.route, event) else found

    async def _owed(self, share: Planned, event: Event) -> Owed:
        found = replace(share.owed, number=await self._numbers.take(share.scope))
        return held(share.route, event, found) if waits(share.route, event) else found

    async def numbered(self, found: Owed, addressed: Addressed) -> Owed:
        """With the destination's running number, if it keeps one."""
        if not addressed.counter or found.state == "rejected":
            return found
        return replace(found, number=await self._numbers.take(f"{found.destination}/{addressed.counter}"))

    def _tell(self, accepted: Accepted) -> None:
        event = accepted.event
        if accepted.seq > self._last_told + (not accepted.duplicate):
            self._parts.missed()
        if accepted.duplicate:
            return
        self._last_told = accepted.seq
        if event.kind == ROUTINE:
            self._routine.kept(event, accepted.owed)
        for one in accepted.owed:
            if one.state in ("pending", "held"):
                self._parts.owes(due_of(accepted.seq, event, one))
        self._parts.kept(accepted)


def _filtered(found: Owed, reason: str) -> Owed:
    return Owed(found.destination, found.lane, "filtered", reason=reason)


def due_of(seq: int, event: Event, one: Owed) -> Due:
    """The pump's view of a delivery that has just been stored."""
    return Due(
        DeliveryKey(seq, one.destination), one.lane, one.address, one.queue, one.number, event, due_at=one.due_at
    )


async def _answered(answer: "asyncio.Future[Taken] | None") -> Taken:
    assert answer is not None
    return await asyncio.shield(answer)


def _scoped(source: str, key: bytes) -> bytes:
    return source.encode() + b"\x00" + key


def _alternate_id(event: Event, digest: bytes) -> str:
    """The id an event gets when another has taken its own: the same each time the same content comes."""
    return f"{event.id[:150]}~{_origin(event.source, event.device_id)}{digest.hex()}"


@lru_cache(maxsize=10_000)
def _origin(source: str, device_id: str) -> str:
    return blake2b(f"{source}\x00{device_id}".encode(), digest_size=6).hexdigest()


async def _nothing_kept(event_id: str, photos: Sequence[PhotoIn], last: bool) -> None:
    """Where there are no events to add to."""
    return
