"""The composition root: the whole configuration, and what is built from it."""
