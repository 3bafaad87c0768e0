"""REST, live stream, health and metrics."""
