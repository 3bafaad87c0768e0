"""What a receiver answers (dc09.md 12). All of them repeat number and address exactly as received, except NAK."""

from collections.abc import Sequence
from datetime import datetime

from tocsin.protocols.dc09.cipher import pad_length
from tocsin.protocols.dc09.message import Extended, Header, Message, write
from tocsin.protocols.dc09.timestamps import format_time

ACK_PAD = pad_length(len("|]_HH:MM:SS,MM-DD-YYYY"))
"""Pad bytes of an encrypted acknowledgement."""


def ack(
    message: Message | Header, now: datetime, key: bytes | None = None, pad: bytes = b"", binary_crc: bool = False
) -> bytes:
    """Taken over and stored. Encrypted if the message was: then `key` and ACK_PAD bytes of `pad` are needed."""
    reply = _reply("ACK", message, message.encrypted, timestamp=now if message.encrypted else None)
    return write(reply, key, pad, binary_crc)


def duh(message: Message | Header, binary_crc: bool = False) -> bytes:
    """Understood as a frame, cannot be processed. Never encrypted."""
    return write(_reply("DUH", message, encrypted=False), binary_crc=binary_crc)


def nak(now: datetime, binary_crc: bool = False) -> bytes:
    """Outside the time window; carries our time. Never encrypted."""
    stamp = b"_" + format_time(now)
    reply = Message("NAK", "0000", "A0", prefix="0", receiver="0", marked=False, timestamp_raw=stamp)
    return write(reply, binary_crc=binary_crc)


def rsp(message: Message | Header, now: datetime, data: bytes, extended: Sequence[Extended] = ()) -> Message:
    """Taken over, and the receiver has something to say. To be written with `write`, encrypted if the message was."""
    timestamp = now if message.encrypted else None
    return _reply("RSP", message, message.encrypted, data, tuple(extended), timestamp)


def _reply(
    token: str,
    asked: Message | Header,
    encrypted: bool,
    data: bytes = b"",
    extended: tuple[Extended, ...] = (),
    timestamp: datetime | None = None,
) -> Message:
    address = (asked.account, asked.prefix, asked.receiver)
    return Message(token, asked.seq, *address, encrypted, data, extended, timestamp, marked=asked.marked)
