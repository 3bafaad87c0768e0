"""What a SIA data block says."""

from msgspec import Struct


class SiaEvent(Struct, frozen=True, gc=False):
    """One event of a block.

    `code` is two capital letters; `number` the address behind it, digits as received, `""` for none; `area` (ri),
    `user` (id), `time` (ti, hh:mm or hh:mm:ss) and `date` (da, MM-DD-YY) are the modifiers that held for it, the last
    two in the panel's local time. `modifiers` has all of them in order, those four included. `units` is what stood
    behind `*`. `old` says that it came in an O block: reported late. `known` says that the code is in the table or
    follows the letter rule.
    """

    code: str
    number: str = ""
    area: str = ""
    user: str = ""
    text: str = ""
    time: str = ""
    date: str = ""
    units: str = ""
    old: bool = False
    known: bool = True
    modifiers: tuple[tuple[str, str], ...] = ()


class SiaData(Struct, frozen=True, gc=False):
    """A whole block. `account` is None where the block has none.

    `texts` are the A blocks, `environment` the E blocks, `raw` whatever is none of these, all printable.
    """

    account: str | None = None
    events: tuple[SiaEvent, ...] = ()
    texts: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
