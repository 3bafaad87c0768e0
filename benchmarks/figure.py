"""One figure beside its reference, and what most measurements set up."""

import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import account_of
from benchmarks.process import Gateway

ACCOUNTS = [account_of(n) for n in range(64)]


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


def line(figure: Figure) -> str:
    sign = "<=" if figure.most else ">="
    wanted = (
        "" if figure.reach is None else f"{sign} {figure.reach:g} {figure.unit} {'ok' if figure.good else 'MISSED'}"
    )
    return f"{figure.name:<50} {figure.value:>9.2f} {figure.unit:<3} {wanted:<18} {figure.ours:<44} {figure.reference}"


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


def source_table(port: int) -> str:
    return SOURCE.format(port=port, accounts=", ".join(f'{{ account = "{account}" }}' for account in ACCOUNTS))


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="tocsin-bench-"))


def wait_drained(gateway: Gateway, seconds: float = 300.0, names: Collection[str] = ()) -> None:
    """Until nothing is owed to the destinations of these names, of all if there are none."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = gateway.get("/api/v1/destinations")
        entries = found["items"] if isinstance(found, dict) and "items" in found else found
        if entries is not None and all(
            not sum(one["pending"].values()) for one in entries if not names or one["name"] in names
        ):
            return
        time.sleep(0.1)
    raise RuntimeError("not drained")
