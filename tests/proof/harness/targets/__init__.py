"""Fuzz targets, one module each: its first line is the promise, SEEDS where to start, `one` checks one input."""
