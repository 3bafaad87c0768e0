"""Who may log in at the console, and how slowly guesses are answered."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from tocsin.api.access import Rights
from tocsin.api.control.lockouts import Lockouts, neighbourhood

_AT_ONCE = 2
_MOST_WAITING = 4
_FREE_TRIES = 3
_FREE_FROM_ONE_PLACE = 12
_FREE_FROM_EVERYWHERE = 100
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_FROM_EVERYWHERE_S = 60.0
_REMEMBERED = 4096


class Person(Struct, frozen=True):
    """One `[[console.users]]` entry."""

    rights: Rights
    password_hash: str

    def __repr__(self) -> str:
        return f"Person({self.rights.name})"


class TooManyTries(Exception):
    """`wait_s`: when the next try is looked at, whole seconds. `elsewhere`: others tried, not who asks now."""

    def __init__(self, wait_s: float, elsewhere: bool = False) -> None:
        self.wait_s = math.ceil(wait_s)
        self.elsewhere = elsewhere
        super().__init__(f"too many tries, wait {self.wait_s} s")


class Waits:
    """Who must wait after wrong passwords: for one name from one place, for a place whatever the names, and, far later
    and never where the name has logged in before, for a name wherever from. A name nobody has is treated the same.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._names = Lockouts(monotonic, _FREE_TRIES, _FIRST_WAIT_S)
        self._places = Lockouts(monotonic, _FREE_FROM_ONE_PLACE, _FIRST_WAIT_S)
        longest_s = _LONGEST_WAIT_FROM_EVERYWHERE_S
        self._everywhere = Lockouts(monotonic, _FREE_FROM_EVERYWHERE, _FIRST_WAIT_S, longest_s)
        self._strangers = Lockouts(monotonic, _FREE_FROM_EVERYWHERE, _FIRST_WAIT_S, longest_s)
        self._at_home: dict[tuple[str, str], None] = {}

    def refuse_hasty(self, name: str, place: str, known: bool) -> None:
        """Raises TooManyTries."""
        wait_s = max(self._names.wait_s((name, place)), self._places.wait_s(("", place)))
        if wait_s > 0:
            raise TooManyTries(wait_s)
        wait_s = 0.0 if (name, place) in self._at_home else self._wide(known).wait_s((name, ""))
        if wait_s > 0:
            raise TooManyTries(wait_s, elsewhere=True)

    def failed(self, name: str, place: str, known: bool) -> None:
        self._names.failed((name, place))
        self._places.failed(("", place))
        if (name, place) not in self._at_home:
            self._wide(known).failed((name, ""))

    def succeeded(self, name: str, place: str) -> None:
        self._names.succeeded((name, place))
        self._at_home.pop((name, place), None)
        self._at_home[name, place] = None
        if len(self._at_home) > _REMEMBERED:
            del self._at_home[next(iter(self._at_home))]

    def _wide(self, known: bool) -> Lockouts:
        """Apart, so that made-up names never push out what is remembered of a real one."""
        return self._everywhere if known else self._strangers


class People:
    """The people of the configuration. An unknown name is answered as slowly as a wrong password."""

    def __init__(self, people: Sequence[Person], monotonic: Callable[[], float]) -> None:
        self._people: Mapping[str, Person] = {person.rights.name: person for person in people}
        self._hasher = PasswordHasher()
        self._no_one = self._hasher.hash("nobody") if people else ""
        self._threads = asyncio.Semaphore(_AT_ONCE)
        self._waiting: Counter[str] = Counter()
        self._waits = Waits(monotonic)

    @property
    def anybody(self) -> bool:
        return bool(self._people)

    def rights(self, name: str) -> Rights | None:
        person = self._people.get(name)
        return person.rights if person else None

    async def log_in(self, name: str, password: str, peer: str) -> Rights | None:
        """None when name or password is wrong. Raises TooManyTries."""
        person, place = self._people.get(name), neighbourhood(peer)
        known = person is not None
        self._waits.refuse_hasty(name, place, known)
        with self._one_more(place):
            async with self._threads:
                self._waits.refuse_hasty(name, place, known)  # those sent all at once have failed meanwhile
                expected = person.password_hash if person else self._no_one
                right = await asyncio.to_thread(self._verify, expected, password)
                if person is None or not right:
                    self._waits.failed(name, place, known)
                    return None
        self._waits.succeeded(name, place)
        return person.rights

    @contextmanager
    def _one_more(self, place: str) -> Iterator[None]:
        """Few of one place may wait to be looked at, so that a flood does not hold up the others."""
        if self._waiting[place] >= _MOST_WAITING:
            raise TooManyTries(_FIRST_WAIT_S)
        self._waiting[place] += 1
        try:
            yield
        finally:
            self._waiting[place] -= 1
            if not self._waiting[place]:
                del self._waiting[place]

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
