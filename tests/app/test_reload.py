"""A new configuration that cannot come up leaves the old one running, whatever it fails with (DESIGN.md 8)."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tocsin.app import run
from tocsin.app.loading import load
from tocsin.engine.gateway import Gateway
from tocsin.telemetry.occurrences import Trouble
from tocsin.telemetry.record import Occurrence
from tocsin.transports.contract import TlsOptions
from tocsin.transports.tls import client_context


def written(file: Path, port: int, name: str = "old") -> None:
    data = file.parent / "data"
    file.write_text(
        f'[gateway]\nname = "{name}"\ndata_dir = "{data}"\n[api]\nlisten = "127.0.0.1:{port}"\n', encoding="utf-8"
    )


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Running:
    def __init__(self) -> None:
        self.occurrences: list[Occurrence] = []
        self.served: list[Gateway] = []

    def troubles(self) -> list[str]:
        return [one.text for one in self.occurrences if isinstance(one, Trouble)]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    async def reloaded(self) -> None:
        """A reload is asked for and carried out."""
        before = len(self.served)
        os.kill(os.getpid(), signal.SIGHUP)
        await self.until(lambda: len(self.served) == before + 1)


@asynccontextmanager
async def process(file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    seen = Running()
    real = run.running

    @asynccontextmanager
    async def noted(*arguments: object, **named: object) -> AsyncIterator[tuple[Gateway, str]]:
        async with real(*arguments, **named) as (gateway, address):  # type: ignore[arg-type]
            seen.served.append(gateway)
            yield gateway, address

    monkeypatch.setattr(run, "running", noted)
    one = run._Process(load(file))
    one._record = seen.occurrences.append
    work = asyncio.create_task(one.run())
    try:
        await seen.until(lambda: bool(seen.served) or work.done())
        yield seen
        assert not work.done(), work.exception()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait([work])
    assert work.exception() is None


async def test_a_port_in_use_leaves_the_old_configuration_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    file = tmp_path / "tocsin.toml"
    written(file, unused_tcp_port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with process(file, monkeypatch) as seen:
            written(file, taken.getsockname()[1], "new")
            await seen.reloaded()
            assert seen.served[1].name == "old"
            assert answers(unused_tcp_port)
            assert any("the one before it goes on" in text for text in seen.troubles())
            assert seen.served[1].ready() == (True, "")


async def test_a_good_one_is_taken_over_and_a_mistake_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    file = tmp_path / "tocsin.toml"
    written(file, unused_tcp_port)
    async with process(file, monkeypatch) as seen:
        file.write_text("[gateway\n", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGHUP)
        await seen.until(lambda: bool(seen.troubles()))
        assert len(seen.served) == 1
        written(file, unused_tcp_port, "new")
        await seen.reloaded()
        assert seen.served[1].name == "new"


async def test_a_first_start_with_its_port_in_use_ends_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.toml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        written(file, taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await run._Process(load(file)).run()


async def test_what_a_person_paused_stays_paused_over_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    file = tmp_path / "tocsin.toml"
    hook = '[[destinations]]\nname = "hook"\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
    written(file, unused_tcp_port)
    file.write_text(file.read_text(encoding="utf-8") + hook, encoding="utf-8")
    async with process(file, monkeypatch) as seen:
        await seen.served[0].pause("hook", "eva")
        await seen.reloaded()
        assert seen.served[1].live_state("hook")[0] == "paused"


async def test_certificates_are_read_anew_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    file = tmp_path / "tocsin.toml"
    written(file, unused_tcp_port)
    async with process(file, monkeypatch) as seen:
        before = client_context(TlsOptions())
        assert client_context(TlsOptions()) is before
        await seen.reloaded()
        assert client_context(TlsOptions()) is not before


async def test_a_slow_disk_stops_nothing_and_the_newest_configuration_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    file, text = tmp_path / "tocsin.toml", tmp_path / "text.toml"
    written(file, unused_tcp_port)
    async with process(file, monkeypatch) as seen:
        file.unlink()
        os.mkfifo(file)  # who reads it waits until somebody writes
        os.kill(os.getpid(), signal.SIGHUP)
        for name in ("new", "newer"):
            with await asyncio.to_thread(file.open, "wb") as pipe:  # opens when it is being read
                if name == "new":
                    os.kill(os.getpid(), signal.SIGHUP)
                    _, stream = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
                    stream.close()
                    assert seen.served[-1].ready() == (True, "")
                written(text, unused_tcp_port, name)
                pipe.write(text.read_bytes())
            await seen.until(lambda name=name: seen.served[-1].name == name)
        assert not seen.troubles()
