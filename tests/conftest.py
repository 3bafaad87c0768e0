"""What all rooms' tests share: `harness` (tests/proof) and `storekit` (tests/store) can be imported."""

import sys
from pathlib import Path

for room in ("proof", "store"):
    sys.path.insert(0, str(Path(__file__).parent / room))
