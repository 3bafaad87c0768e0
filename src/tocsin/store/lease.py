"""The right of one node to work on something."""

from datetime import datetime

from msgspec import Struct


class Lease(Struct, frozen=True):
    """One node's right to work on something until `until`. A higher epoch fences a lower one."""

    subject: str
    owner: str
    epoch: int
    until: datetime
