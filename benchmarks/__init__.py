"""Figures, each beside its reference from the same run on the same machine. Run with `make bench`."""
