-- Login-free links to events, found by the SHA-256 of their token (the token itself is in the event's body).
CREATE TABLE links (
  event_seq INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  revoked_at INTEGER
) STRICT;

-- What is on test and has not ended yet.
CREATE TABLE tests (
  id TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
