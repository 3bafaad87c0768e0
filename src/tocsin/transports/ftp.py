"""Uploads to mirrored FTP servers: sets of files, round robin over all addresses, a few kept connections, no wait
without a deadline (stations.md 8.2, receivers.md 8.1).
"""

import asyncio
import contextlib
import ftplib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from msgspec import Struct

from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TransportError, Unreachable
from tocsin.transports.ftp_entry import (
    DiskFull,
    FileSet,
    FtpOptions,
    Log,
    PutOff,
    Target,
    UploadRefused,
    failure,
    opening_failure,
)
from tocsin.transports.ftp_line import CLOSE_DEADLINE_S, FtpLine
from tocsin.transports.ring import turn_order
from tocsin.transports.tls import explain

Result = TypeVar("Result")
SKIPPED_S = 60.0
TRUSTED_S = 5.0
"""A connection used so recently is not asked for a sign of life before an upload."""
SLOWEST_BYTES_PER_S = 65536
OPENING_STEPS = 4
"""Waits between connecting and the login's answer: greeting, TLS, user, password."""


class Try(Struct, frozen=True):
    """One try at one target: the dialogue, and what ended it (None: everything was stored)."""

    target: Target
    log: Log
    error: TransportError | None = None


class Stored(Struct, frozen=True):
    """Where a set is, and the answer to its last file."""

    target: Target
    answer: str


class NotStored(TransportError):
    """No target took the set. `failures` has each with its reason."""

    def __init__(self, failures: Sequence[TransportError]) -> None:
        super().__init__("; ".join(dict.fromkeys(map(str, failures))))
        self.failures = tuple(failures)

    @property
    def unreachable(self) -> bool:
        """Nobody could be reached or logged into: nothing was sent at all."""
        return all(isinstance(one, Unreachable) for one in self.failures)

    @property
    def refused(self) -> bool:
        """Every target refuses the files for good."""
        return all(isinstance(one, UploadRefused) for one in self.failures)

    @property
    def full(self) -> bool:
        """Some target has no room left."""
        return any(isinstance(one, DiskFull) for one in self.failures)

    @property
    def only_full(self) -> bool:
        return all(isinstance(one, DiskFull) for one in self.failures)


Note = Callable[[Try], None]
Progress = dict[Target, set[str]]
"""Which files of a set each target has already; handed in again, a broken set goes on where it stopped."""


class FtpPool:
    """Connections to mirrors. `now` is a monotonic clock."""

    def __init__(
        self, hosts: Sequence[Endpoint], options: FtpOptions, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._hosts = list(dict.fromkeys(hosts))
        self._options = options
        self._now = now
        self._threads = ThreadPoolExecutor(options.connections, thread_name_prefix="ftp")
        self._slots = asyncio.Semaphore(options.connections)
        self._busy: set[FtpLine] = set()
        self._idle: list[FtpLine] = []
        self._failed: dict[Target, float] = {}
        self._known: dict[Endpoint, list[Target]] = {}
        self._turn = 0
        self._watch: asyncio.Task[None] | None = None

    async def store(self, files: FileSet, note: Note, progress: Progress | None = None) -> Stored:
        """Bring the whole set to one target, the next in turn first; each try is told to `note`. Raises NotStored."""
        progress = {} if progress is None else progress
        failures: list[TransportError] = []
        for target in await self._order(failures, note, progress):
            async with self._slots:
                try:
                    stored = await self._at(target, files, note, progress.setdefault(target, set()))
                except TransportError as error:
                    failures.append(error)
                    if not isinstance(error, UploadRefused):
                        self._failed[target] = self._now() + SKIPPED_S
                else:
                    self._failed.pop(target, None)
                    return stored
        raise NotStored(failures)

    async def targets(self, host: Endpoint) -> list[Target]:
        """All addresses of a host, asked anew each time; the ones last known when DNS fails. Raises Unreachable."""
        with contextlib.suppress(ValueError):
            return [Target(host, str(ipaddress.ip_address(host.host)))]
        try:
            async with asyncio.timeout(self._options.connect_timeout_s):
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            if host in self._known:
                return self._known[host]
            if isinstance(error, TimeoutError):
                raise Unreachable(f"The DNS server gave no answer for the name {host.host} in time") from error
            raise Unreachable(explain(error, host)) from error
        self._known[host] = list(dict.fromkeys(Target(host, str(address[0])) for *_, address in found))
        return self._known[host]

    async def try_login(self, target: Target, log: Log) -> None:
        """NOOP over a kept connection, else connect and log in. Raises Unreachable, LoginRefused."""
        async with self._slots:
            line = await self._kept(target)
            if line is None or not await self._alive(line):
                line = await self._opened(target, log)
            await self._put_back(line)

    async def try_folder(self, target: Target, folder: str, log: Log) -> TransportError | None:
        """Connect and log in as for an upload, then list `folder`; why that failed. Stores nothing. Raises Unreachable
        when it does not come so far.
        """

        def look(line: FtpLine) -> None:
            line.enter_folder(folder, create=False)
            line.look()

        async with self._slots:
            line = await self._opened(target, log)
            try:
                await self._within(line, partial(_working, line, look), self._options.timeout_s)
            except TransportError as error:
                return error
            finally:
                await self._leave(line)
        return None

    async def aclose(self) -> None:
        """Leave within two seconds, whatever the servers do."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for line in self._busy:
            line.give_up()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(self._leave(line) for line in idle))
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Where to

    async def _order(self, failures: list[TransportError], note: Note, progress: Progress) -> list[Target]:
        """In turn; who has a part of the set already comes first, who has just failed last."""
        found: list[Target] = []
        for host, known in zip(self._hosts, await self._all_targets(), strict=True):
            if isinstance(known, TransportError):
                failures.append(known)
                note(Try(Target(host), [], known))
            else:
                found.extend(known)
        now = self._now()
        self._failed = {target: until for target, until in self._failed.items() if until > now}
        self._turn += 1
        order = turn_order(found, self._turn - 1)
        return sorted(order, key=lambda target: (target in self._failed, not progress.get(target)))

    async def _all_targets(self) -> list[list[Target] | TransportError]:
        async def one(host: Endpoint) -> list[Target] | TransportError:
            try:
                return await self.targets(host)
            except TransportError as error:
                return error

        return await asyncio.gather(*(one(host) for host in self._hosts))

    # One target

    async def _at(self, target: Target, files: FileSet, note: Note, done: set[str]) -> Stored:
        """Over a kept connection if one leads there and lives, else over a new one. A kept one that breaks may have
        been dead before: that is no failure of its target.
        """
        kept = await self._kept(target)
        if kept is not None:
            try:
                return await self._send(kept, files, note, done)
            except (LinkBroken, PutOff) as error:
                if isinstance(error, NoAnswer | DiskFull):
                    raise
        log: Log = []
        try:
            line = await self._opened(target, log)
        except TransportError as error:
            note(Try(target, log, error))
            raise
        return await self._send(line, files, note, done)

    async def _send(self, line: FtpLine, files: FileSet, note: Note, done: set[str]) -> Stored:
        seconds = self._options.timeout_s * 2 + files.size / SLOWEST_BYTES_PER_S + len(files.files)
        try:
            answer = await self._within(line, partial(_working, line, lambda one: one.store(files, done)), seconds)
        except TransportError as error:
            note(Try(line.target, line.log, error))
            raise
        note(Try(line.target, line.log))
        await self._put_back(line)
        return Stored(line.target, answer)

    async def _opened(self, target: Target, log: Log) -> FtpLine:
        """Raises Unreachable, LoginRefused."""
        await self._make_room()
        line = FtpLine(target, self._options)
        seconds = self._options.connect_timeout_s + self._options.timeout_s * OPENING_STEPS
        try:
            await self._within(line, partial(_opening, line, self._options), seconds)
        except NoAnswer as error:
            raise Unreachable(str(error)) from error
        finally:
            log.extend(line.log)
        return line

    async def _kept(self, target: Target) -> FtpLine | None:
        """A kept connection that leads there and lives; it is no longer idle."""
        while (line := next((one for one in self._idle if one.target == target), None)) is not None:
            self._idle.remove(line)
            line.log = []
            if line.stale():
                await self._leave(line)
            elif self._now() - line.used_at < TRUSTED_S or await self._alive(line):
                return line
        return None

    async def _alive(self, line: FtpLine) -> bool:
        try:
            await self._within(line, partial(_working, line, lambda one: one.voidcmd("NOOP")), TRUSTED_S)
        except TransportError:
            return False
        return True

    async def _put_back(self, line: FtpLine) -> None:
        line.used_at = self._now()
        line.log = []
        if not self._options.keep:
            await self._leave(line)
            return
        self._idle.append(line)
        if self._watch is None:
            self._watch = asyncio.create_task(self._stay_alive())

    async def _make_room(self) -> None:
        while self._idle and len(self._idle) + len(self._busy) >= self._options.connections:
            await self._leave(self._idle.pop(0))

    async def _stay_alive(self) -> None:
        """NOOP over what has been quiet; what does not answer, or cannot be used for long any more, is closed."""
        while True:
            await asyncio.sleep(self._options.noop_s / 2)
            quiet = [line for line in self._idle if self._now() - line.used_at >= self._options.noop_s / 2]
            for line in quiet:
                if line in self._idle:
                    async with self._slots:
                        kept = await self._kept(line.target)
                        if kept is not None:
                            await self._put_back(kept)

    async def _leave(self, line: FtpLine) -> None:
        """Say goodbye if the server takes it within two seconds; gone in any case."""
        try:
            with contextlib.suppress(TransportError):
                await self._within(line, partial(_working, line, FtpLine.leave), CLOSE_DEADLINE_S)
        finally:
            line.end()

    async def _within(self, line: FtpLine, work: Callable[[], Result], seconds: float) -> Result:
        """Run it in a thread of ours. At the deadline, and when cancelled, the thread is woken and waited for."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._busy.add(line)
        ended = False
        try:
            async with asyncio.timeout(seconds):
                result = await asyncio.shield(future)
            ended = True
            return result
        except TimeoutError as error:
            raise NoAnswer(f"{line.target} was not done within {seconds:.3g} s") from error
        finally:
            if not ended:
                await _given_up(line, future)
            self._busy.discard(line)


async def _given_up(line: FtpLine, future: "asyncio.Future[Result]") -> None:
    """Wake the thread and give the connection back when it is out; its outcome is of no interest."""

    def out(future: "asyncio.Future[Result]") -> None:
        line.end()
        if not future.cancelled():
            future.exception()

    line.give_up()
    try:
        await asyncio.wait([future], timeout=CLOSE_DEADLINE_S)
    finally:
        if future.done():
            out(future)
        else:
            future.add_done_callback(out)


def _opening(line: FtpLine, options: FtpOptions) -> None:
    """In a thread: open it, or close it and say why."""
    try:
        line.open()
    except (OSError, EOFError, ValueError, TransportError, ftplib.Error) as error:
        line.end()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise Unreachable(explain(error, line.target.endpoint, _shown(line.target, options))) from error
        raise opening_failure(error, line.target) from error


def _shown(target: Target, options: FtpOptions) -> bytes:
    """The certificate a server shows, for explaining why it is not accepted; empty if it cannot be had."""
    line = FtpLine(target, options)
    with contextlib.suppress(OSError, EOFError, TransportError, ftplib.Error):
        try:
            return line.shown_certificate()
        finally:
            line.end()
    return b""


def _working(line: FtpLine, work: Callable[[FtpLine], Result]) -> Result:
    """In a thread: what fails closes the connection, so that no late answer can meet another question."""
    try:
        return work(line)
    except (OSError, EOFError, ValueError, TransportError, ftplib.Error) as error:
        line.end()
        raise failure(error, line.target) from error
