"""`python -m benchmarks [NAME…]`: a table on the terminal, JSON in benchmarks/results/."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figure import Figure, line
from benchmarks.measures import MEASURES

RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        print(f"no such measurement: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
        return 2
    figures: list[Figure] = []
    for name in names or MEASURES:
        for figure in MEASURES[name]():
            figures.append(figure)
            print(line(figure), flush=True)
    save(figures)
    return 0


def save(figures: list[Figure]) -> None:
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    found = {
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "load": os.getloadavg(),
        "figures": [figure._asdict() | {"good": figure.good} for figure in figures],
    }
    target = RESULTS / f"{now:%Y%m%dT%H%M%SZ}.json"
    target.write_text(json.dumps(found, indent=2))
    print(f"written to {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
