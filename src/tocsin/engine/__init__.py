"""The middle: intake, routing, delivery, supervision. No I/O library."""
