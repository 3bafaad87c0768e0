"""DC-03 ("SIA format") as it travels inside DC-09 and Sur-Gard: `#6F01|Nri2/BA17` (event-codes.md section 2)."""

from tocsin.protocols.sia.data import SiaData, SiaEvent
from tocsin.protocols.sia.reading import plain, read
from tocsin.protocols.sia.writing import write

__all__ = ["SiaData", "SiaEvent", "plain", "read", "write"]
