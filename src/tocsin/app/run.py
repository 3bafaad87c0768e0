"""The gateway as a process: start, signals, reload, an orderly end."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tocsin.app import building
from tocsin.app.controlling import controlling
from tocsin.app.database import why_unusable
from tocsin.app.exposure import exposure_warnings
from tocsin.app.instance import AlreadyRunning, only_one
from tocsin.app.loading import load
from tocsin.app.notify import notify
from tocsin.app.serving import serving
from tocsin.app.settings import Configuration, Loaded
from tocsin.app.watching import RecordedWatch
from tocsin.engine.gateway import Gateway
from tocsin.store.contract import Store, StoreError
from tocsin.store.open import open_store
from tocsin.store.sqlite import without_memory_counts
from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.occurrences import Notice, Trouble
from tocsin.telemetry.record import Recorder
from tocsin.telemetry.recorder import LoggedMetrics, configure_log
from tocsin.transports.keeping import forget_contexts

CLOSE_LIMIT_S = 3.0
PROOF_SYNCHRONOUS = "TOCSIN_PROOF_SYNCHRONOUS"
"""Set only by the power-cut proof, which must fail when the store is weakened."""


def run(file: Path, json_log: bool = False) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code (interface.md 2)."""
    configure_log(json_log)
    loaded = load(file)
    if loaded.settings is None:
        for problem in loaded.problems:
            print(problem, file=sys.stderr)
        return 2
    try:
        return _in_loop(loaded)
    except AlreadyRunning as error:
        print(error, file=sys.stderr)
    except OSError as error:
        reason = error.strerror if error.strerror and error.filename is None else error
        print(f"cannot start: {reason}", file=sys.stderr)
    except StoreError as error:
        print(f"cannot open the store: {_why(error, loaded)}", file=sys.stderr)
    return 1


def _why(error: StoreError, loaded: Loaded) -> str:
    database = loaded.settings.gateway.database if loaded.settings else None
    return str(error) if database is None else why_unusable(error, database.reveal())


def _in_loop(loaded: Loaded) -> int:
    without_memory_counts()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_Process(loaded).run())
    return 0


def _calm_collector() -> None:
    """Hardly anything made for an event is part of a cycle: looked through as often as usual, it costs a sixth of the
    loop's time for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


class _Process:
    """One process: the store for its whole life, a gateway for each configuration it is given."""

    def __init__(self, loaded: Loaded) -> None:
        assert loaded.settings is not None
        self._file = Path(loaded.file)
        self._settings: Configuration = loaded.settings
        self._metrics = Metrics()
        self._record: Recorder = LoggedMetrics(self._metrics)
        self._session_key = os.urandom(32)
        self._warn(_warnings(loaded))
        self._stopping = asyncio.Event()
        self._next: Configuration | None = None
        self._proved: Configuration | None = None
        """The newest configuration that came up."""
        self._store: Store | None = None
        self._reading: asyncio.Task[None] | None = None
        self._read_again = False

    async def run(self) -> None:
        self._listen_to_signals()
        async with store_of(self._settings, self._record) as store:
            self._store = store
            _calm_collector()
            while not self._stopping.is_set():
                try:
                    await self._serve(store, announce=self._proved is None)
                except Exception as error:  # noqa: BLE001 - whatever a new configuration fails with, the old one goes on
                    self._fall_back(error)
        notify("STATUS=stopped")

    def _fall_back(self, error: Exception) -> None:
        """To the configuration before, if there is one that came up and this one did not."""
        if self._proved is None or self._proved is self._settings:
            raise error
        self._record(Trouble("configuration", f"not taken over, the one before it goes on: {error}"))
        self._settings = self._proved

    async def _serve(self, store: Store, announce: bool) -> None:
        """One configuration, until it is replaced or the process is to stop."""
        parts = (self._settings, store, self._metrics, self._record, self._session_key)
        async with running(*parts, announce) as (gateway, address):
            self._proved = self._settings
            self._record(Notice("gateway", f"{gateway.name} is ready; console at {address}"))
            notify("READY=1\nSTATUS=ready")
            await self._changed()
            final = self._stopping.is_set()
            notify("STOPPING=1" if final else "STATUS=reloading")
            await gateway.stop(announce=final)
        if self._next is not None:
            self._settings, self._next = self._next, None

    async def _changed(self) -> None:
        while not self._stopping.is_set() and self._next is None:
            self._wake = asyncio.Event()
            await self._wake.wait()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _reload(self) -> None:
        """Asked for while it is still being read, it is read once more: the file may have changed meanwhile."""
        self._read_again = True
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._reread(), name="reload")

    async def _reread(self) -> None:
        while self._read_again:
            self._read_again = False
            try:
                loaded, warnings = await asyncio.to_thread(_read, self._file)
                self._take_over(loaded, warnings)
            except Exception as error:  # noqa: BLE001 - top of the task: whatever is wrong with it, the old one goes on
                self._record(Trouble("configuration", f"not taken over: {type(error).__name__}: {error}"))

    def _take_over(self, loaded: Loaded, warnings: Sequence[str]) -> None:
        """A bad new configuration leaves the old one running and says why."""
        new = loaded.settings
        if new is None:
            for problem in loaded.errors:
                self._record(Trouble("configuration", f"not taken over: {problem}"))
            return
        old = self._settings.gateway
        if (new.gateway.data_dir, new.gateway.database) != (old.data_dir, old.database):
            self._record(Trouble("configuration", "not taken over: data_dir or database changed; restart instead"))
            return
        if self._store is None or not self._store.writable():
            self._record(Trouble("configuration", "not taken over: the store cannot write now; reload again later"))
            return
        self._warn(warnings)
        self._record(Notice("configuration", "read; it is being taken over"))
        forget_contexts()
        self._next = new
        self._wake.set()

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            self._record(Trouble("configuration", warning))


def _read(file: Path) -> tuple[Loaded, Sequence[str]]:
    loaded = load(file)
    return loaded, _warnings(loaded)


def _warnings(loaded: Loaded) -> list[str]:
    """What the configuration leaves open, and which entries were left out."""
    warned = [*loaded.problems]
    if loaded.settings is not None and loaded.document is not None:
        warned += exposure_warnings(loaded.document, loaded.settings)
    left_out = [f"{name} is left out: it has problems and says on_start_error = disable" for name in loaded.left_out]
    return [*map(str, warned), *left_out]


@asynccontextmanager
async def store_of(settings: Configuration, record: Recorder) -> AsyncIterator[Store]:
    """The opened store of a configuration. Raises AlreadyRunning, StoreError, OSError."""
    async with AsyncExitStack() as stack:
        data_dir = Path(settings.gateway.data_dir)
        database = settings.gateway.database
        if database is None:
            stack.enter_context(only_one(data_dir))
        store = open_store(
            database.reveal() if database else str(data_dir / "tocsin.db"),
            RecordedWatch(record),
            synchronous=os.environ.get(PROOF_SYNCHRONOUS, "FULL"),
        )
        await store.open()
        stack.push_async_callback(store.aclose)
        yield store


@asynccontextmanager
async def running(
    settings: Configuration,
    store: Store,
    metrics: Metrics,
    record: Recorder,
    session_key: bytes,
    announce: bool = True,
) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway at work behind its API, and the console's address. The caller stops it before leaving."""
    gateway = building.gateway(settings, store, record)
    await gateway.start()
    async with (
        serving(settings, gateway, metrics, record, session_key) as address,
        controlling(settings.control, settings.api.proxies, gateway, record),
        asyncio.TaskGroup() as group,
    ):
        # Should the gateway's work ever end by itself, the process ends with it: nobody serves an API without it.
        work = group.create_task(gateway.run(announce), name="gateway")
        try:
            yield gateway, address
        finally:
            work.cancel()
            await asyncio.wait([work])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT_S):
                    await gateway.aclose()
