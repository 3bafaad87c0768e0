"""The checksum of DC-09: CRC-16/ARC (dc09.md 3.1)."""

import sys
from array import array

_POLYNOMIAL = 0xA001
_SWAPPED = sys.byteorder == "big"


def _sixteen_shifts(register: int) -> int:
    for _ in range(16):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


def _table() -> "array[int]":
    """What two bytes of message make of every register value. CRC is linear, so sixteen values give them all. An array
    stays in the processor's cache where a tuple of as many numbers does not.
    """
    table = [0]
    for bit in range(16):
        shifted = _sixteen_shifts(1 << bit)
        table += [entry ^ shifted for entry in table]
    return array("H", table)


_TABLE = _table()


def crc16_arc(data: bytes) -> int:
    """Checksum of `data`, 0 to 0xFFFF; 0xBB3D for `123456789`."""
    # The register starts at 0, so a zero byte in front changes nothing and makes the length even.
    words = array("H", b"\0" + data if len(data) & 1 else data)
    if _SWAPPED:
        words.byteswap()
    table = _TABLE
    crc = 0
    for word in words:
        crc = table[crc ^ word]
    return crc
