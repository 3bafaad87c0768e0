"""Who may log in at the console, and how slowly guesses are answered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from tocsin.api.access import Rights

_AT_ONCE = 2
_FREE_TRIES = 3
_LONGEST_WAIT_S = 300.0
_REMEMBERED = 4096


class Person(Struct, frozen=True):
    """One `[[console.users]]` entry."""

    rights: Rights
    password_hash: str

    def __repr__(self) -> str:
        return f"Person({self.rights.name})"


class TooManyTries(Exception):
    """`wait_s`: when the next try is looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many tries, wait {wait_s:.0f} s")
        self.wait_s = wait_s


class People:
    """The people of the configuration. An unknown name is answered as slowly as a wrong password."""

    def __init__(self, people: Sequence[Person], monotonic: Callable[[], float]) -> None:
        self._people: Mapping[str, Person] = {person.rights.name: person for person in people}
        self._monotonic = monotonic
        self._hasher = PasswordHasher()
        self._no_one = self._hasher.hash("nobody") if people else ""
        self._threads = asyncio.Semaphore(_AT_ONCE)
        self._failures: dict[str, tuple[int, float]] = {}

    @property
    def anybody(self) -> bool:
        return bool(self._people)

    def rights(self, name: str) -> Rights | None:
        person = self._people.get(name)
        return person.rights if person else None

    async def log_in(self, name: str, password: str, peer: str) -> Rights | None:
        """None when name or password is wrong. Raises TooManyTries."""
        self._refuse_hasty(name, peer)
        person = self._people.get(name)
        async with self._threads:
            right = await asyncio.to_thread(self._verify, person.password_hash if person else self._no_one, password)
        if person is None or not right:
            self._failed(name)
            self._failed(f"@{peer}")
            return None
        self._failures.pop(name, None)
        return person.rights

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def _refuse_hasty(self, name: str, peer: str) -> None:
        now = self._monotonic()
        wait_s = max(self._failures.get(key, (0, 0.0))[1] - now for key in (name, f"@{peer}"))
        if wait_s > 0:
            raise TooManyTries(wait_s)

    def _failed(self, key: str) -> None:
        """After a few free tries each further one doubles the wait."""
        failures = self._failures.pop(key, (0, 0.0))[0] + 1
        over = failures - (_FREE_TRIES if not key.startswith("@") else _FREE_TRIES * 4)
        wait_s = min(2.0 ** min(over, 20), _LONGEST_WAIT_S) if over >= 0 else 0.0
        self._failures[key] = (failures, self._monotonic() + wait_s)
        if len(self._failures) > _REMEMBERED:
            del self._failures[next(iter(self._failures))]
