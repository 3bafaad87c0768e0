-- Login-free links to events, found by the SHA-256 of their token (the token itself is in the event's body).
CREATE TABLE links (
  event_seq BIGINT PRIMARY KEY,
  digest BYTEA NOT NULL UNIQUE,
  revoked_at BIGINT
);

-- What is on test and has not ended yet.
CREATE TABLE tests (
  id TEXT PRIMARY KEY,
  since BIGINT NOT NULL,
  body TEXT NOT NULL
);
