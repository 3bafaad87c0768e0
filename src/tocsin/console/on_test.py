"""What is on test, as the banner shows it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.api.access import Rights
from tocsin.api.on_test import may_end, visible_tests
from tocsin.api.room import Room


class Banner(Struct, frozen=True):
    """One test. `soon`: it has been reminded of."""

    id: str
    subject: str
    until: datetime
    reason: str
    by: str
    include: Sequence[str]
    soon: bool
    may_end: bool


def banners(room: Room, rights: Rights) -> list[Banner]:
    now = room.now()
    return [
        Banner(
            id=test.id,
            subject=test.subject,
            until=test.until,
            reason=test.reason,
            by=test.by,
            include=test.include,
            soon=now >= test.remind_at,
            may_end=rights.may("operate") and may_end(room, rights, test),
        )
        for test in visible_tests(room, rights)
    ]
