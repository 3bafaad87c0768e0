"""The fault proxy does what it says, seen from both ends over real sockets."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from harness.faults import BLACK_HOLE, CLEAN, Fault, FaultProxy, Leg, any_fault

HELLO = b"twelve bytes"


@asynccontextmanager
async def echo() -> AsyncIterator[tuple[FaultProxy, list[bytes]]]:
    """A proxy in front of a server that echoes; the list collects what the server's reads gave."""
    reads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                reads.append(data)
                writer.write(data)
                await writer.drain()
            reads.append(b"")
        except ConnectionError:
            reads.append(b"reset")
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy, reads


async def exchange(proxy: FaultProxy, end: bool = True) -> bytes:
    """Everything that comes back on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(HELLO)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(-1), 10)
    finally:
        writer.close()


async def test_a_clean_link_changes_nothing() -> None:
    async with echo() as (proxy, _):
        assert await exchange(proxy) == HELLO
        assert proxy.connections[0].up == proxy.connections[0].down == HELLO


async def test_cut_after_n_bytes_on_the_way_back() -> None:
    async with echo() as (proxy, reads):
        proxy.script(Fault(down=Leg(after=5)))
        assert await exchange(proxy, end=False) == HELLO[:5]
        assert b"".join(reads).startswith(HELLO)


async def test_cut_after_n_bytes_on_the_way_there() -> None:
    async with echo() as (proxy, reads):
        proxy.script(Fault(up=Leg(after=5)))
        await exchange(proxy, end=False)
        assert b"".join(reads) == HELLO[:5]


async def test_reset() -> None:
    async with echo() as (proxy, _):
        proxy.script(Fault(down=Leg(after=5, then="reset")))
        with pytest.raises(ConnectionResetError):
            await exchange(proxy, end=False)


async def test_half_close_ends_one_direction_only() -> None:
    async with echo() as (proxy, reads):
        proxy.script(Fault(up=Leg(after=5, then="half-close")))
        assert await exchange(proxy, end=False) == HELLO[:5]
        assert reads[-1] == b""


async def test_a_black_hole_neither_answers_nor_closes() -> None:
    async with echo() as (proxy, reads):
        proxy.script(BLACK_HOLE)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(HELLO)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.2)
        assert reads == []
        writer.close()


async def test_one_byte_at_a_time() -> None:
    async with echo() as (proxy, reads):
        proxy.script(Fault(up=Leg(drip=True, delay_s=0.005)))
        assert await exchange(proxy) == HELLO
        assert len(reads) > 6


async def test_refuse_and_listen_again_on_the_same_port() -> None:
    async with echo() as (proxy, _):
        port = proxy.port
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await exchange(proxy)
        await proxy.listen()
        assert proxy.port == port
        assert await exchange(proxy) == HELLO


async def test_standing_connections_can_be_broken() -> None:
    async with echo() as (proxy, reads):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(HELLO)
        assert await reader.readexactly(len(HELLO)) == HELLO
        await proxy.break_all()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert await exchange(proxy) == HELLO
        assert reads.count(HELLO) == 2


async def test_the_script_goes_connection_by_connection() -> None:
    async with echo() as (proxy, _):
        proxy.script(Fault(down=Leg(after=1)), Fault(down=Leg(after=2)), CLEAN)
        answers = [await exchange(proxy) for _ in range(4)]
        assert answers == [HELLO[:1], HELLO[:2], HELLO, HELLO]


async def test_nobody_behind_is_a_reset() -> None:
    async with echo() as (proxy, _):
        await proxy.refuse()
        async with FaultProxy("127.0.0.1", proxy.port) as front:
            with pytest.raises(ConnectionResetError):
                await exchange(front)


def test_a_seed_gives_the_same_faults() -> None:
    def draw(seed: int) -> list[Fault]:
        randomness = random.Random(seed)
        return [any_fault(randomness) for _ in range(50)]

    assert draw(5) == draw(5)
    assert len(set(draw(5))) > 20
    assert CLEAN in draw(5)
