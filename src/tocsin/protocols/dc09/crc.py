"""The checksum of DC-09: CRC-16/ARC (dc09.md 3.1)."""

from fastcrc.crc16 import arc


def crc16_arc(data: bytes) -> int:
    """Checksum of `data`, 0 to 0xFFFF; 0xBB3D for `123456789`."""
    return arc(data)
