"""Which store a place in the configuration means; without loading either engine."""


def is_postgres(place: str) -> bool:
    """Else it is the path of an SQLite file."""
    return place.startswith(("postgresql://", "postgres://"))
