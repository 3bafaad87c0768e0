"""The real gateway as a process of its own, started and killed at any moment."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

START_LIMIT_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """`folder` gets its configuration and its log; `http` reaches its API."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession, configuration: str, **environment: str) -> None:
        self._folder = folder
        self._http = http
        self._environment = environment
        self._file = folder / "tocsin.toml"
        self._file.write_text(configuration)
        self._process: asyncio.subprocess.Process | None = None

    async def launch(self) -> None:
        """Start the process and leave it to itself."""
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tocsin", "-c", str(self._file), "run"),
                cwd=self._folder,
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
            )

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises with its output when it ends instead."""
        await self.launch()
        await self.wait_until(self._ready, START_LIMIT_S, "the gateway is ready")

    async def _ready(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"the gateway ended with {self._process.returncode}:\n{self.log()[-3000:]}")
        try:
            async with self._http.get("/readyz", timeout=aiohttp.ClientTimeout(2)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGKILL)
        if process is not None:
            await process.wait()

    def signal(self, what: signal.Signals) -> None:
        """For a process that runs."""
        assert self._process is not None
        self._process.send_signal(what)

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    async def wait_until(self, there: Callable[[], Awaitable[bool]], timeout_s: float, what: str) -> None:
        """Ask again and again. Raises TimeoutError naming what did not come."""
        end = asyncio.get_running_loop().time() + timeout_s
        while not await there():
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"not within {timeout_s:g} s: {what}\n{self.log()[-3000:]}")
            await asyncio.sleep(0.05)
