"""The durable store: one contract, SQLite and PostgreSQL."""
