"""Manitou's XML receiver as far as it is seen from outside: framing, packet numbers, answers (receivers.md 6.3).

Everything here is unconfirmed: the station's vendor does not publish it.
"""

from tocsin.protocols.manitou.answers import Pattern, PatternProblem, pattern
from tocsin.protocols.manitou.framing import ANSWER_LIMIT, AnswerReader, Framing, framed, one_line

__all__ = ["ANSWER_LIMIT", "AnswerReader", "Framing", "Pattern", "PatternProblem", "framed", "one_line", "pattern"]
