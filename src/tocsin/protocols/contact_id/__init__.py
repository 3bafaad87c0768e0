"""DC-05 (Contact ID) as it travels inside DC-09: `#6F01|1130 02 017` (event-codes.md section 3)."""

from tocsin.protocols.contact_id.data import CidEvent, ContactIdError, Unreadable, fields, fits, read, write

__all__ = ["CidEvent", "ContactIdError", "Unreadable", "fields", "fits", "read", "write"]
