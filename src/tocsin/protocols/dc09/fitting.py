"""Making a message fit into 4095 bytes without losing what matters (dc09.md 3.2)."""

from msgspec.structs import replace

from tocsin.protocols.dc09.errors import TooLong
from tocsin.protocols.dc09.frames import LONGEST_BODY
from tocsin.protocols.dc09.message import Extended, Message, body_length
from tocsin.protocols.dc09.text import cut

_DROPPED_IN_ORDER = "JILSORZYXU"
_SHORTENED_IN_ORDER = "ILSOR"
_SHORT_TEXT = 32
_SURELY_SHORT = 1500
"""Data and blocks of so few bytes fit into any message, encrypted or not, whatever its header."""


def fit(message: Message, longest: int = LONGEST_BODY) -> Message:
    """The message itself, or one with shorter texts and then fewer blocks; V and H always stay. Raises TooLong."""
    content = len(message.data) + sum([len(each.value) + 3 for each in message.extended])
    if (content <= _SURELY_SHORT and longest == LONGEST_BODY) or body_length(message) <= longest:
        return message
    for letter in _SHORTENED_IN_ORDER:
        message = _shorten(message, letter, longest)
    for letter in _DROPPED_IN_ORDER:
        while body_length(message) > longest and _last(message, letter) is not None:
            message = _without(message, letter)
    if body_length(message) > longest:
        raise TooLong(
            f"the message has {body_length(message)} bytes without what may be left out; {longest} are allowed"
        )
    return message


def _shorten(message: Message, letter: str, longest: int) -> Message:
    """Cut the texts of one letter as far as needed, to 32 bytes at the least."""
    blocks = list(message.extended)
    for index, block in enumerate(blocks):
        excess = body_length(message) - longest
        if excess <= 0:
            break
        if block.letter == letter and len(block.value) > _SHORT_TEXT:
            # An encrypted byte travels as two.
            surplus = -(-excess // 2) if message.encrypted else excess
            blocks[index] = Extended(letter, cut(block.value, max(_SHORT_TEXT, len(block.value) - surplus)))
            message = replace(message, extended=tuple(blocks))
    return message


def _last(message: Message, letter: str) -> int | None:
    found = [index for index, block in enumerate(message.extended) if block.letter == letter]
    return found[-1] if found else None


def _without(message: Message, letter: str) -> Message:
    index = _last(message, letter)
    kept = tuple(block for place, block in enumerate(message.extended) if place != index)
    return replace(message, extended=kept)
