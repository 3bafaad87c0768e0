"""What a record says, whatever its first character (surgard.md 5)."""

from typing import Literal

from msgspec import Struct

RecordKind = Literal["contact-id", "sia2", "sia1", "basic", "heartbeat", "status", "caller", "other", "unknown"]


class Record(Struct, frozen=True, gc=False):
    """One record without its end mark. `raw` is all of it, as received.

    `receiver` (two characters) and `line` (one or three) are the header, empty where there is none to be read.
    `account` has no fill spaces; its zeros stay.

    `code` is, by kind: contact-id the qualifier as a digit and the event code, `1130`; sia1 the two letters; basic the
    event character; status the two letters; caller the telephone number; other what stands in the data fields.
    `group` and `zone` are as received, empty where the field is blank. `block` is the SIA data of sia2 and status,
    `#1234|Nri1/BA01`. `clock` is the clock option, `08:15:30-04/03`, empty without it.
    `loose`: not in the strict form; what can be read was read.
    """

    kind: RecordKind
    raw: bytes
    receiver: str = ""
    line: str = ""
    account: str = ""
    code: str = ""
    group: str = ""
    zone: str = ""
    block: bytes = b""
    clock: str = ""
    loose: bool = False
