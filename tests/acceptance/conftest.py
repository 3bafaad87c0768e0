"""The real program beside real peers: what a site engineer would have on the desk."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.ports import free_port


async def listening(port: int) -> None:
    """Until somebody listens on the port: a source opens its own in its own time."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


Told = list[dict[str, Any]]


@asynccontextmanager
async def simulated(told: Told, port: int, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`tocsin simulate` on a port, and each line of JSON it prints."""
    command = [sys.executable, "-W", "error", "-m", "tocsin", "simulate", *words, "--listen", f"127.0.0.1:{port}"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    reading = asyncio.create_task(_read(process.stdout, told))
    try:
        await listening(port)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)  # one that a test has stopped would not end
        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
        await reading


async def _read(output: asyncio.StreamReader, told: Told) -> None:
    async for line in output:
        with contextlib.suppress(ValueError):
            told.append(json.loads(line))


class Program:
    """`tocsin run` with a configuration in a folder of its own."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.folder = folder
        self.api = free_port()
        self.file = folder / "tocsin.toml"
        self.file.write_text(configuration.replace("API_PORT", str(self.api)))
        self.url = f"http://127.0.0.1:{self.api}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "tocsin", "--config", str(self.file), *arguments]

    async def call(self, *arguments: str) -> tuple[int, str]:
        """Another command beside the running gateway: exit code and everything it printed."""
        environment = {**os.environ, "COLUMNS": "200"}
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, output.decode()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*self.command("run"), stdout=log, stderr=log)
        try:
            await self._ready(process)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), 30)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while True:
                assert process.returncode is None, self.log()
                try:
                    async with session.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, **how: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.post(self.url + path, **how) as answer:
            return answer.status, json.loads(await answer.text() or "null")

    async def until(self, path: str, holds: Callable[[Any], bool], seconds: float = 60.0) -> Any:
        """What the path answers once it holds."""
        found: Any = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    found = await self.get(path)
                    if holds(found):
                        return found
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{path} stayed at {found}\n{self.log()[-3000:]}") from None


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    return lambda configuration: Program(tmp_path, configuration)
