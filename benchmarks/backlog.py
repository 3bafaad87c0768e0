"""Much at once and much behind: taking events in bulk, keeping a million, starting with them, overtaking them."""

import json
import time
from collections.abc import Iterator
from importlib.resources import files

import apsw

from benchmarks.figure import STATION, Figure, new_folder
from benchmarks.process import Gateway, free_port, serving
from tocsin.store.sqlite import Runner
from tocsin.store.steps import Bulk

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
    folder = new_folder()
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
    limit = _same_rows_by_apsw(batch, 100_000)
    yield Figure(
        "the same against its rows by apsw alone", ours / limit * 100, "%", None, f"{ours:.0f}/s", f"{limit:.0f}/s"
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
    connection = apsw.Connection(str(new_folder() / "alone.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE e(seq INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT)")
    rows = [(f"bench-{n:012d}", f'{{"kind": "motion", "device_id": "device-{n % 200:04d}"}}') for n in range(total)]
    began = time.perf_counter()
    for first in range(0, total, batch):
        with connection:
            connection.executemany("INSERT INTO e(id, body) VALUES (?, ?)", rows[first : first + batch])
    return total / (time.perf_counter() - began)


def _same_rows_by_apsw(batch: int, total: int) -> float:
    """Events a second when the rows of an event with three deliveries are ready in memory and only inserted."""
    connection = apsw.Connection(str(new_folder() / "rows.db"))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536").fetchall()
    connection.execute((files("tocsin.store") / "sql/sqlite/schema.sql").read_text())
    connection.execute("INSERT INTO destinations (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    runner = Runner(connection)
    body = '{"kind":"motion","occurred_at":"2026-11-22T08:44:28Z","source":"local","device_id":"device-0001"}'
    spent = 0.0
    for first in range(0, total, batch):
        numbers = range(first + 1, first + batch + 1)
        events = [
            (n, f"bench-{n:012d}", n, "local", "motion", "device-0001", "", b"0" * 16, None, body) for n in numbers
        ]
        owed = [(n, k, 0, "pending", "#1000", "1000", n, None, "") for n in numbers for k in (1, 2, 3)]
        began = time.perf_counter()
        with connection:
            runner.insert(Bulk("add_events", events))
            runner.insert(Bulk("add_deliveries", owed))
        spent += time.perf_counter() - began
    return total / spent


def growth() -> Iterator[Figure]:
    """Cost per event when a million are stored, against the first hundred thousand."""
    batch, total = 10_000, 1_000_000
    rates: list[float] = []
    with Gateway(new_folder(), "") as gateway:
        for first in range(0, total, batch):
            body = _ndjson(first, batch)
            began = time.perf_counter()
            gateway.post("/api/v1/events", body, "application/x-ndjson")
            rates.append(batch / (time.perf_counter() - began))
        peak_mb = gateway.peak_mb()
    early, late = sum(rates[1:11]) / 10, sum(rates[-10:]) / 10
    yield Figure(
        "cost per event, 1 000 000 stored against 100 000",
        early / late,
        "x",
        1.5,
        f"{1e6 / late:.0f} us, {peak_mb:.0f} MB",
        f"{1e6 / early:.0f} us",
        True,
    )


def overtaking() -> Iterator[Figure]:
    """An alarm behind 200 000 pending status events, from the station's return to its acknowledgement."""
    port = free_port()
    with Gateway(new_folder(), STATION.format(name="arc", port=port) + 'retry = { longest = "2s" }\n') as gateway:
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
