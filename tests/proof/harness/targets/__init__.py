"""Fuzz targets, one module each: its first line is the promise, SEEDS where to start, `one` checks one input.

LEAST: so many inputs in three seconds, where 1000 are too many. SECONDS: of the long run, where not three minutes.
"""
