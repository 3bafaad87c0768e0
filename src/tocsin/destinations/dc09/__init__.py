"""A monitoring station that is spoken to by SIA DC-09."""
