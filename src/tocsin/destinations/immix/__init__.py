"""Immix CS: XML in a mail."""
