"""Panels: parsing, receiving, and the way through to a station."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pysiaalarm import SIAAccount
from pysiaalarm.event import SIAEvent

from benchmarks.figure import STATION, Figure, new_folder, source_table, wait_drained
from benchmarks.process import Gateway, cpu_seconds, free_port, once, serving, thread_seconds
from tocsin.protocols.dc09.cipher import make_pad, pad_length
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Message, clear_length, read, write
from tocsin.protocols.translate import panel_events


def parse() -> Iterator[Figure]:
    """One core, from the frame's bytes to a complete message."""

    key = b"Sample key number three, 32 byte"
    messages = [
        Message(
            token="SIA-DCS",
            seq=f"{n % 9999 + 1:04d}",
            account="6F01",
            prefix="0",
            receiver="1",
            data=f"#6F01|Nri{n % 9}/BA{n % 99}".encode(),
            timestamp=datetime.now(UTC),
            encrypted=encrypted,
        )
        for encrypted in (False, True)
        for n in range(500)
    ]
    randomness = random.Random(1)
    for name, some, secret, reach in (("plain", messages[:500], None, 4.0), ("AES-256", messages[500:], key, 3.0)):
        frames = [
            write(one, secret, make_pad(pad_length(clear_length(one)), randomness) if secret else b"") for one in some
        ]
        lines = [frame.decode("ascii").strip() for frame in frames]
        accounts = {"6F01": SIAAccount("6F01", secret.decode() if secret else None, allowed_timeband=None)}

        def ours(frames: list[bytes] = frames, secret: bytes | None = secret) -> None:
            reader = FrameReader()
            for frame in frames:
                for raw in reader.feed(frame):
                    assert isinstance(raw, RawFrame)
                    message = read(raw, secret)
                    (said,) = panel_events(message.token, message.data, (), message.account)
                    assert said.kind == "burglary"

        def theirs(lines: list[str] = lines, accounts: Any = accounts) -> None:
            for line in lines:
                event = SIAEvent.from_line(line, accounts)
                assert event.valid_message
                assert event.code == "BA"

        mine, other = _best(ours, len(frames)), _best(theirs, len(frames))
        yield Figure(
            f"DC-09 parse, {name}", other / mine, "x", reach, f"{mine * 1e6:.1f} us", f"pysiaalarm {other * 1e6:.1f} us"
        )


def _best(work: Callable[[], None], count: int) -> float:
    """Seconds per item, the best of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) / count


PAIRS = 5


def receiver() -> Iterator[Figure]:
    """Events acknowledged after they are on disk, 64 kept connections; both servers up, asked in turn."""
    count = 12_800
    port, peer_port = free_port(), free_port()
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    peer_arguments = ("benchmarks.peers", "pysiaalarm", "--port", peer_port)
    with Gateway(new_folder(), source_table(port)) as gateway, serving(*peer_arguments) as peer:
        peer.line()
        for n in range(PAIRS + 1):
            for at, process, found in ((port, gateway.process, ours), (peer_port, peer.process, theirs)):
                assert process is not None
                before = cpu_seconds(process.pid)
                found.append(once("benchmarks.load", "--port", at, "--count", count, "--first", n * 200))
                found[-1]["cpu_us"] = (cpu_seconds(process.pid) - before) / count * 1e6
    assert all(one["acknowledged"] == one["sent"] for one in ours)
    pairs = sorted(mine["per_second"] / other["per_second"] for mine, other in zip(ours[1:], theirs[1:], strict=True))
    yield Figure(
        "DC-09 receiver, acknowledged after commit",
        pairs[len(pairs) // 2],
        "x",
        2.0,
        f"{_median(ours, 'per_second'):.0f}/s, p99 {_median(ours, 'p99_ms'):.1f} ms, "
        f"{_median(ours, 'cpu_us'):.0f} us CPU each",
        f"pysiaalarm, storing nothing {_median(theirs, 'per_second'):.0f}/s, {_median(theirs, 'cpu_us'):.0f} us",
    )


def _median(found: list[dict[str, float]], key: str) -> float:
    """Without the first run, which warms up."""
    values = sorted(one[key] for one in found[1:])
    return values[len(values) // 2]


def end_to_end() -> Iterator[Figure]:
    """Panel, SQLite, DC-09 station: everything acknowledged; in turn with my-dc09-spt into the same sink."""
    yield _beside("panel to station acknowledged", 3.0, _to_sink, _spt_to_sink, "my-dc09-spt, no store")
    yield from paced()


def _beside(name: str, reach: float, ours: Callable[[], float], theirs: Callable[[], float], reference: str) -> Figure:
    """Events a second of each, in pairs, of which the median counts; who comes first takes turns."""
    pairs = []
    for number in range(PAIRS):
        first = theirs() if number % 2 == 0 else 0.0
        mine = ours()
        pairs.append((mine, first or theirs()))
    mine, other = pairs[-1]
    ratio = sorted(mine / other for mine, other in pairs)[PAIRS // 2]
    return Figure(name, ratio, "x", reach, f"{mine:.0f}/s", f"{reference} {other:.0f}/s")


def _to_sink() -> float:
    with serving("benchmarks.sink") as sink:
        panel_port, sink_port = free_port(), sink.line()["port"]
        with Gateway(new_folder(), source_table(panel_port) + STATION.format(name="arc", port=sink_port)) as gateway:
            sent = once("benchmarks.load", "--port", panel_port, "--count", 20_000)
            wait_drained(gateway)
        seen = sink.stop()
    assert sent["acknowledged"] == sent["sent"]
    assert seen["events"] >= sent["sent"]
    assert not seen["bad"]
    return float(sent["sent"] / seen["seconds"])


def _spt_to_sink() -> float:
    with serving("benchmarks.sink") as sink:
        once("benchmarks.peers", "spt", "--port", sink.line()["port"], "--count", 6400)
        seen = sink.stop()
    return float(seen["events"] / seen["seconds"])


def paced() -> Iterator[Figure]:
    """1 000 events a second, from accepted to acknowledged by the station."""
    with serving("benchmarks.sink") as sink:
        panel_port, sink_port = free_port(), sink.line()["port"]
        folder = new_folder()
        with Gateway(folder, source_table(panel_port) + STATION.format(name="arc", port=sink_port)) as gateway:
            sent = once("benchmarks.load", "--port", panel_port, "--count", 15_000, "--rate", 1000)
            wait_drained(gateway)
    waits = sorted(_waits_ms(folder))
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    yield Figure(
        "accepted to acknowledged, p99 at 1 000/s",
        p99,
        "ms",
        100.0,
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, panel p99 {sent['p99_ms']:.1f} ms",
        f"{sent['per_second']:.0f}/s sent",
        most=True,
    )


def _waits_ms(folder: Path) -> list[float]:
    with sqlite3.connect(f"file:{folder / 'data' / 'tocsin.db'}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT d.delivered_at - e.accepted_at FROM deliveries d JOIN events e ON e.seq = d.event_seq"
            " WHERE d.state = 'delivered' AND e.kind = 'burglary'"
        ).fetchall()
    return [micro / 1000 for (micro,) in rows]


def stages() -> Iterator[Figure]:
    """Where the time of one event goes: CPU per event of the loop and of the store's thread, without a station and
    with one.
    """
    count = 12_800
    with serving("benchmarks.sink") as sink:
        station = STATION.format(name="arc", port=sink.line()["port"])
        alone, brought = _cpu_per_event("", count), _cpu_per_event(station, count)
    for name, found in (("taken and stored", alone), ("taken, stored and brought to a station", brought)):
        parts = ", ".join(f"{thread} {us:.0f}" for thread, us in found.items() if us >= 1)
        yield Figure(f"CPU per event, {name}", sum(found.values()), "us", None, parts, "")


def _cpu_per_event(station: str, count: int) -> dict[str, float]:
    port = free_port()
    with Gateway(new_folder(), source_table(port) + station) as gateway:
        assert gateway.process is not None
        once("benchmarks.load", "--port", port, "--count", count)
        wait_drained(gateway)
        before = thread_seconds(gateway.process.pid)
        once("benchmarks.load", "--port", port, "--count", count, "--first", count)
        wait_drained(gateway)
        after = thread_seconds(gateway.process.pid)
    return {name: (after[name] - before.get(name, 0.0)) / count * 1e6 for name in after}


def pysiaalarm_station() -> Iterator[Figure]:
    """The same with pysiaalarm as the station, in turn with a raw sender on kept connections into it."""
    name = "panel to pysiaalarm acknowledged"
    yield _beside(name, 0.7, _to_pysiaalarm, _raw_to_pysiaalarm, "raw sender into it")


def _raw_to_pysiaalarm() -> float:
    port = free_port()
    with serving("benchmarks.peers", "pysiaalarm", "--port", port) as peer:
        peer.line()
        return float(once("benchmarks.load", "--port", port, "--count", 12_800)["per_second"])


def _to_pysiaalarm() -> float:
    count, peer_port, panel_port = 12_800, free_port(), free_port()
    with serving("benchmarks.peers", "pysiaalarm", "--port", peer_port) as peer:
        peer.line()
        station = STATION.format(name="arc", port=peer_port) + 'receiver = "1"\n'
        with Gateway(new_folder(), source_table(panel_port) + station) as gateway:
            once("benchmarks.load", "--port", panel_port, "--count", count)
            wait_drained(gateway)
        seen = peer.stop()
    assert seen["events"] >= count
    return float(seen["events"] / seen["seconds"])
