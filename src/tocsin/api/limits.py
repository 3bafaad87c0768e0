"""How much one client may ask for at once. Everything from outside is bounded."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Sizes in bytes, times in seconds.

    `buffered` bounds all request bodies held in memory together; beyond it clients are told to come again (429).
    """

    json: int = 12_000_000
    ndjson: int = 32_000_000
    ndjson_lines: int = 10_000
    ndjson_chunk: int = 1000
    small: int = 256_000
    photos: int = 20
    buffered: int = 160_000_000
    body_s: float = 60.0
    heartbeat_s: float = 15.0
    streams: int = 100
    polls: int = 500
    failed_tokens_per_minute: int = 30
    links_per_minute: int = 600
