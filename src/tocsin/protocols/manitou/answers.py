"""What an answer must look like: a text with two marks instead of a regular expression, so that none can be slow.

`{seq}` stands for the packet's number, `*` for anything inside a tag: `<Ack*ID="{seq}"` finds `<Ack at="7" ID="4711">`.
Whatever else the answer holds, it is never parsed.
"""

from msgspec import Struct

from tocsin.protocols.manitou.framing import ANSWER_LIMIT

_LONGEST, _MOST_GAPS = 200, 4
ANY = "*"


class PatternProblem(ValueError):
    """A pattern that cannot be used; the text says why."""


class Pattern(Struct, frozen=True):
    """`parts` in the order in which they must stand, nothing but the inside of one tag between two of them."""

    parts: tuple[str, ...]

    def example(self, seq: int) -> bytes:
        """The least that it matches; between two parts stands what no pattern can ask for."""
        return "\0".join(self.parts).replace("{seq}", str(seq)).encode()

    @property
    def numbered(self) -> bool:
        """Whether it asks for the packet's number."""
        return any("{seq}" in part for part in self.parts)

    def matches(self, answer: bytes, seq: int) -> bool:
        """Whether it stands anywhere in the first 16 KiB of `answer`, for the packet with this number."""
        text = answer[:ANSWER_LIMIT].decode("utf-8", "replace")
        wanted = [part.replace("{seq}", str(seq)) for part in self.parts]
        if not all(part in text for part in wanted):
            return False
        at = text.find(wanted[0])
        while at >= 0:
            if _follow(text, at + len(wanted[0]), wanted[1:]):
                return True
            at = text.find(wanted[0], at + 1) if wanted[0] else -1
        return False


def pattern(text: str) -> Pattern:
    """`*` alone is any answer at all. Raises PatternProblem."""
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise PatternProblem(f"a pattern has 1 to {_LONGEST} printable characters")
    parts = tuple(text.strip(ANY).split(ANY))
    if len(parts) - 1 > _MOST_GAPS:
        raise PatternProblem(f"a pattern has at most {_MOST_GAPS} * between its parts")
    return Pattern(parts)


def _follow(text: str, at: int, wanted: list[str]) -> bool:
    """Each part at its first place within the tag: a later one could only leave less room for the rest."""
    for part in wanted:
        end = text.find(">", at)
        limit = len(text) if end < 0 else end + len(part)
        at = text.find(part, at, limit)
        if at < 0:
            return False
        at += len(part)
    return True
