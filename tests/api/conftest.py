"""The served gateway (tests/api/serving) can be imported by the tests of the API and of the console."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
