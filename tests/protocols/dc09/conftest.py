"""Makes tests/protocols/dc09/vectors.py importable as `protocols.dc09.vectors`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
