"""A real RabbitMQ on loopback: a node of its own, with its own name, ports, folder and name service.

Debian's package is installed by tests/servers.py. It is started by its own configuration and stopped by its own id.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import aio_pika
import pytest
from tests.ports import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = Path("/usr/bin/epmd")
USER, PASSWORD = "onguard-bus", "a-very-secret-word"
START_S = 60.0


def why_not() -> str:
    """Why it cannot be started here; empty if it can."""
    return "" if SERVER.exists() and EPMD.exists() else "Debian's rabbitmq-server is not installed (tests/servers.py)"


needs_rabbitmq = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Rabbit:
    """A broker that can be stopped and started again with what it has kept. `port` is without, `tls_port` with TLS."""

    def __init__(self, folder: Path, pair: str) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.folder = folder
        self._names = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlisteners.ssl.1 = 127.0.0.1:{self.tls_port}\n"
            f"ssl_options.certfile = {pair}\nssl_options.keyfile = {pair}\n"
            f"default_user = {USER}\ndefault_pass = {PASSWORD}\nloopback_users = none\n"
            f"vm_memory_high_watermark.absolute = 200MB\ndisk_free_limit.absolute = 1MB\nlog.console = false\n"
        )
        (folder / "plugins").write_text("[].\n")

    async def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": f"tocsin{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"), "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        with (self.folder / "printed").open("ab") as printed:
            for command in ([str(EPMD), "-address", "127.0.0.1"], [str(SERVER)]):
                self._processes.append(
                    subprocess.Popen(
                        command, env=environment, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed,
                        start_new_session=True,
                    )
                )  # fmt: skip
        async with asyncio.timeout(START_S):
            while not await self._answers():
                assert self._processes[-1].poll() is None, (self.folder / "printed").read_text()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """The node ends in order; then its name service."""
        while self._processes:
            process = self._processes.pop()
            os.killpg(process.pid, signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait, 20)

    async def _answers(self) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            for port in (self.port, self.tls_port):
                _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
                writer.close()
            return True
        return False

    async def queue(self, name: str) -> None:
        """A durable queue, as OnGuard would make it."""
        connection = await self._connected()
        channel = await connection.channel()
        await channel.declare_queue(name, durable=True)
        await connection.close()

    async def drop(self, name: str) -> None:
        connection = await self._connected()
        await (await connection.channel()).queue_delete(name)
        await connection.close()

    async def publish(self, name: str, bodies: Sequence[bytes]) -> None:
        """Persistent messages, each confirmed."""
        connection = await self._connected()
        channel = await connection.channel()
        for body in bodies:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, routing_key=name)
        await connection.close()

    async def waiting(self, name: str) -> int:
        """Messages that nobody has taken."""
        connection = await self._connected()
        queue = await (await connection.channel()).get_queue(name)
        await connection.close()
        return queue.declaration_result.message_count or 0

    async def _connected(self) -> aio_pika.abc.AbstractConnection:
        return await aio_pika.connect(host="127.0.0.1", port=self.port, login=USER, password=PASSWORD)
