"""The one table that translates event codes: SIA DC-03 and DC-05 (Contact ID) to kinds, and kinds to codes.

`classes.csv` is event-codes.md section 4, `kinds.csv` stations.md 3.1 and 3.2 for detector kinds and section 4 for the
rest, `letters.csv` event-codes.md 2.5. Both directions read the same rows.
"""

from tocsin.protocols.codes.inbound import Meaning, inbound_contact_id, inbound_sia, meaning_of
from tocsin.protocols.codes.outbound import check_override, outbound_contact_id, outbound_sia
from tocsin.protocols.codes.tables import Counts

__all__ = [
    "Counts",
    "Meaning",
    "check_override",
    "inbound_contact_id",
    "inbound_sia",
    "meaning_of",
    "outbound_contact_id",
    "outbound_sia",
]
