"""The served gateway (tests/api/serving) and a browser."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "api"))
