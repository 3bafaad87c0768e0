"""Each measurement: what it measures, its reference in the same run, and the ratio to reach."""

import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from pysiaalarm import SIAAccount
from pysiaalarm.event import SIAEvent

from benchmarks.load import account_of
from benchmarks.process import Gateway, cpu_seconds, free_port, once, serving
from tocsin.protocols.dc09.cipher import make_pad, pad_length
from tocsin.protocols.dc09.frames import FrameReader, RawFrame
from tocsin.protocols.dc09.message import Message, clear_length, read, write
from tocsin.protocols.translate import panel_events

_ACCOUNTS = [account_of(n) for n in range(64)]


class Figure(NamedTuple):
    """`reach` is the least (or, with `most`, the largest) acceptable `value` in `unit`."""

    name: str
    value: float
    unit: str
    reach: float | None
    ours: str
    reference: str
    most: bool = False

    @property
    def good(self) -> bool:
        if self.reach is None:
            return True
        return self.value <= self.reach if self.most else self.value >= self.reach


SOURCE = """
[[sources]]
name = "panels"
type = "dc09"
listen = "127.0.0.1:{port}"
accounts = [{accounts}]
"""
STATION = """
[[destinations]]
name = "{name}"
type = "dc09"
hosts = ["127.0.0.1:{port}"]
account = "1000"
connections = 64
"""


def _source(port: int) -> str:
    return SOURCE.format(port=port, accounts=", ".join(f'{{ account = "{account}" }}' for account in _ACCOUNTS))


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="tocsin-bench-"))


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
    with Gateway(_folder(), _source(port)) as gateway, serving(*peer_arguments) as peer:
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
    """Panel, SQLite, DC-09 station: everything acknowledged."""
    count = 20_000
    with serving("benchmarks.sink") as sink:
        panel_port, sink_port = free_port(), sink.line()["port"]
        folder = _folder()
        with Gateway(folder, _source(panel_port) + STATION.format(name="arc", port=sink_port)) as gateway:
            sent = once("benchmarks.load", "--port", panel_port, "--count", count)
            _drained(gateway)
        seen = sink.stop()
    assert sent["acknowledged"] == sent["sent"]
    assert seen["events"] >= sent["sent"]
    assert not seen["bad"]
    ours = sent["sent"] / seen["seconds"]
    with serving("benchmarks.sink") as sink:
        once("benchmarks.peers", "spt", "--port", sink.line()["port"], "--count", 3200)
        theirs_seen = sink.stop()
    theirs = theirs_seen["events"] / theirs_seen["seconds"]
    yield Figure(
        "panel to station acknowledged",
        ours / theirs,
        "x",
        3.0,
        f"{ours:.0f}/s",
        f"my-dc09-spt, no store {theirs:.0f}/s",
    )
    yield from paced()


def paced() -> Iterator[Figure]:
    """1 000 events a second, from accepted to acknowledged by the station."""
    with serving("benchmarks.sink") as sink:
        panel_port, sink_port = free_port(), sink.line()["port"]
        folder = _folder()
        with Gateway(folder, _source(panel_port) + STATION.format(name="arc", port=sink_port)) as gateway:
            sent = once("benchmarks.load", "--port", panel_port, "--count", 15_000, "--rate", 1000)
            _drained(gateway)
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


def pysiaalarm_station() -> Iterator[Figure]:
    """The same with pysiaalarm as the station, against a raw sender on kept connections into it."""
    count = 12_800
    peer_port = free_port()
    with serving("benchmarks.peers", "pysiaalarm", "--port", peer_port) as peer:
        peer.line()
        raw = once("benchmarks.load", "--port", peer_port, "--count", count)
    peer_port, panel_port = free_port(), free_port()
    with serving("benchmarks.peers", "pysiaalarm", "--port", peer_port) as peer:
        peer.line()
        station = STATION.format(name="arc", port=peer_port) + 'receiver = "1"\n'
        with Gateway(_folder(), _source(panel_port) + station) as gateway:
            once("benchmarks.load", "--port", panel_port, "--count", count)
            _drained(gateway)
        seen = peer.stop()
    ours = seen["events"] / seen["seconds"]
    yield Figure(
        "panel to pysiaalarm acknowledged",
        ours / raw["per_second"],
        "x",
        0.7,
        f"{ours:.0f}/s, {seen['events']} of {count}",
        f"raw sender into it {raw['per_second']:.0f}/s",
    )


def _drained(gateway: Gateway, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = gateway.get("/api/v1/destinations")
        entries = found["items"] if isinstance(found, dict) and "items" in found else found
        if entries is not None and all(not sum(one["pending"].values()) for one in entries):
            return
        time.sleep(0.1)
    raise RuntimeError("not drained")


NOWHERE = """
[[destinations]]
name = "{name}"
type = "dc09"
hosts = ["127.0.0.1:{port}"]
account = "{account}"
"""


def _ndjson(first: int, count: int, kind: str = "motion") -> bytes:
    lines = [
        json.dumps({"id": f"bench-{n:012d}", "kind": kind, "device_id": f"device-{n % 200:04d}", "text": f"event {n}"})
        for n in range(first, first + count)
    ]
    return "\n".join(lines).encode()


def intake() -> Iterator[Figure]:
    """NDJSON, durable, three destinations owed; growth with what is stored; start with a million owed."""
    batch, total = 10_000, 350_000
    folder = _folder()
    dead = "".join(NOWHERE.format(name=f"arc{n}", port=free_port(), account=f"100{n}") for n in range(3))
    rates: dict[int, float] = {}
    with Gateway(folder, dead) as gateway:
        idle_mb = gateway.rss_mb()
        empty_s = gateway.ready_s
        bodies = [_ndjson(first, batch) for first in range(0, total, batch)]
        done, spent = 0, 0.0
        for body in bodies:
            began = time.perf_counter()
            answer = gateway.post("/api/v1/events", body, "application/x-ndjson")
            took = time.perf_counter() - began
            assert answer["accepted"] == batch
            done += batch
            spent += took
            rates[done] = batch / took
        peak_mb = gateway.peak_mb()
    ours = total / spent
    theirs = _apsw_alone(batch, total)
    yield Figure(
        "NDJSON intake, durable, three destinations owed",
        ours / theirs * 100,
        "%",
        15.0,
        f"{ours:.0f}/s",
        f"apsw alone, one row {theirs:.0f}/s",
    )
    early = sum(rates[n] for n in (20_000, 30_000, 40_000)) / 3
    late = sum(rates[total - n] for n in (0, 10_000, 20_000)) / 3
    yield Figure(
        "cost per event, 350 000 stored against 30 000",
        early / late,
        "x",
        1.5,
        f"{1e6 / late:.0f} us",
        f"{1e6 / early:.0f} us",
        True,
    )
    yield Figure("idle memory", idle_mb, "MB", None, f"{idle_mb:.0f} MB", "")
    yield Figure("memory while taking 350 000 events", peak_mb, "MB", 250.0, f"{peak_mb:.0f} MB", "", True)
    with Gateway(folder, dead) as gateway:
        time.sleep(10)
        pending = sum(sum(one["pending"].values()) for one in gateway.get("/api/v1/destinations")["items"])
        peak_mb = gateway.peak_mb()
    yield Figure(
        f"start with {pending} deliveries owed",
        gateway.ready_s,
        "s",
        5.0,
        f"{gateway.ready_s:.2f} s",
        f"empty {empty_s:.2f} s",
        True,
    )
    yield Figure("memory with them, 10 s after", peak_mb, "MB", 250.0, f"{peak_mb:.0f} MB", "", True)


def _apsw_alone(batch: int, total: int) -> float:
    """Rows a second: one row with a unique id per event, the same batch size, synchronous FULL."""
    connection = apsw.Connection(str(_folder() / "alone.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE e(seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT)")
    rows = [(f"bench-{n:012d}", f'{{"kind": "motion", "device_id": "device-{n % 200:04d}"}}') for n in range(total)]
    began = time.perf_counter()
    for first in range(0, total, batch):
        with connection:
            connection.executemany("INSERT INTO e(id, body) VALUES (?, ?)", rows[first : first + batch])
    return total / (time.perf_counter() - began)


def overtaking() -> Iterator[Figure]:
    """An alarm behind 200 000 pending status events, from the station's return to its acknowledgement."""
    port = free_port()
    with Gateway(_folder(), STATION.format(name="arc", port=port) + 'retry = { longest = "2s" }\n') as gateway:
        for first in range(0, 200_000, 10_000):
            gateway.post("/api/v1/events", _ndjson(first, 10_000, "battery_low"), "application/x-ndjson")
        alarm = {"kind": "panic", "device_id": "device-0001", "text": "THE-ALARM"}
        gateway.post("/api/v1/events", json.dumps(alarm).encode(), "application/json")
        with serving("benchmarks.sink", "--port", port, "--watch", "THE-ALARM") as sink:
            sink.line()
            time.sleep(6)
            seen = sink.stop()
    waited = seen["watched_at"] - seen["connected"] if seen["watched_at"] else float("inf")
    yield Figure(
        "alarm behind 200 000 status events", waited, "s", 1.0, f"{waited * 1000:.0f} ms after the link", "", True
    )


MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "parse": parse,
    "receiver": receiver,
    "end_to_end": end_to_end,
    "pysiaalarm": pysiaalarm_station,
    "intake": intake,
    "overtaking": overtaking,
}
