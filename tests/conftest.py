"""What all rooms' tests share: the proof harness (tests/proof/harness) can be imported as `harness`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "proof"))
