"""Any bytes of a Manitou receiver, however split, are the same answers, and a pattern says of each yes or no."""

from tocsin.protocols.manitou import ANSWER_LIMIT, AnswerReader, Framing, framed, pattern

FRAMINGS: tuple[Framing, ...] = ("crlf", "stx-etx", "null", "length4", "close")
PATTERNS = tuple(pattern(one) for one in ('<Ack*ID="{seq}"', "<a*b*c*d*>", "*"))
SEEDS = tuple(
    bytes([number]) + framed(answer, framing)
    for number, framing in enumerate(FRAMINGS)
    for answer in (b'<Ack ID="7"/>', b'<?xml version="1.0"?><Nak at="1" ID="7"/>', b"<abcd>")
)


def one(data: bytes) -> None:
    framing = FRAMINGS[data[0] % 5] if data else "crlf"
    stream = data[1:]
    whole, parts = AnswerReader(framing), AnswerReader(framing)
    found = whole.feed(stream)
    pieces = [one for at in range(0, len(stream), 7) for one in parts.feed(stream[at : at + 7])]
    if framing != "close" and not whole.broken and not parts.broken:
        assert found == pieces
    for answer in found:
        assert len(answer) <= ANSWER_LIMIT
        assert [each.matches(answer, 7) for each in PATTERNS][-1]
