"""Wire protocols with two ends: bytes in, meaning out. No socket, no clock, no event loop."""
