-- The whole database that gateway nodes share. The migrations lead to the same.

-- What the database says about itself: schema (its version), written_by (the program's version).
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- One row per event. body is NULL once the event is past retention and only its receipts are kept.
CREATE TABLE events (
  seq BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  accepted_at BIGINT NOT NULL,
  source TEXT NOT NULL,
  kind TEXT NOT NULL,
  device_id TEXT NOT NULL,
  area TEXT NOT NULL,
  digest BYTEA NOT NULL,
  repeat_key BYTEA,
  body TEXT
);
CREATE INDEX events_repeats ON events (source, accepted_at) WHERE repeat_key IS NOT NULL;

-- Events kept under another id because their own was taken: so that a repeat of such an event is known too.
CREATE TABLE aliases (
  own_id TEXT NOT NULL,
  event_seq BIGINT NOT NULL,
  PRIMARY KEY (own_id, event_seq)
);

CREATE TABLE destinations (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  last_delivered BIGINT
);

-- One row per event and destination that owes it: queue, retry time, state and receipt in one.
CREATE TABLE deliveries (
  event_seq BIGINT NOT NULL,
  destination BIGINT NOT NULL,
  lane BIGINT NOT NULL,
  state TEXT NOT NULL,
  address TEXT NOT NULL,
  queue TEXT NOT NULL,
  number BIGINT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  due_at BIGINT,
  delivered_at BIGINT,
  host TEXT NOT NULL DEFAULT '',
  receipt TEXT NOT NULL DEFAULT '',
  reason TEXT NOT NULL DEFAULT '',
  exchanged BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (event_seq, destination)
);
CREATE INDEX deliveries_open ON deliveries (destination, lane, event_seq, queue, state)
  WHERE state IN ('pending', 'held', 'retrying');
CREATE INDEX deliveries_set_aside ON deliveries (event_seq)
  WHERE state IN ('rejected', 'expired', 'discarded');

CREATE TABLE photos (
  event_seq BIGINT NOT NULL,
  n BIGINT NOT NULL,
  data BYTEA NOT NULL,
  sha256 TEXT NOT NULL,
  content_type TEXT NOT NULL,
  PRIMARY KEY (event_seq, n)
);

-- What was sent and answered. n counts from 1 per delivery; the middle of a long row of failures is dropped.
CREATE TABLE exchanges (
  event_seq BIGINT NOT NULL,
  destination BIGINT NOT NULL,
  n BIGINT NOT NULL,
  at BIGINT NOT NULL,
  host TEXT NOT NULL,
  result TEXT NOT NULL,
  sent TEXT NOT NULL,
  answer TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (event_seq, destination, n)
);

CREATE TABLE counters (
  scope TEXT PRIMARY KEY,
  next BIGINT NOT NULL
);

CREATE TABLE leases (
  subject TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch BIGINT NOT NULL,
  until BIGINT NOT NULL
);

CREATE TABLE areas (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
);

CREATE TABLE devices (
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL
);

CREATE TABLE audit (
  n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  source_address TEXT NOT NULL,
  result TEXT NOT NULL
);

-- Orders to devices. body: what was ordered, as JSON; the other columns may change or are looked for.
CREATE TABLE commands (
  id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL,
  device_id TEXT NOT NULL,
  device_order TEXT NOT NULL,
  state TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  idempotency_key TEXT,
  expires_at BIGINT NOT NULL,
  sent_at BIGINT,
  ended_at BIGINT,
  result TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL
);
CREATE INDEX commands_open ON commands (device_id, id) WHERE state IN ('requested', 'sent');
CREATE INDEX commands_requests ON commands (request_id);
CREATE UNIQUE INDEX commands_keys ON commands (requested_by, idempotency_key, device_id)
  WHERE idempotency_key IS NOT NULL;

-- Devices as their last confirmed arming order left them; a device without a row is armed.
CREATE TABLE armings (
  device_id TEXT PRIMARY KEY,
  armed BIGINT NOT NULL,
  since BIGINT NOT NULL,
  until BIGINT,
  no_time_limit BIGINT NOT NULL,
  changed_by TEXT NOT NULL
);

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

-- Ids of devices of on-prem systems, once given for ever, by what the system calls them.
CREATE TABLE identities (
  system TEXT NOT NULL,
  kind TEXT NOT NULL,
  native_key TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  PRIMARY KEY (system, kind, native_key)
);

-- Devices of on-prem systems and tombstones. body: record and bookkeeping; health apart, because others write it.
CREATE TABLE inventory (
  id TEXT PRIMARY KEY,
  system TEXT NOT NULL,
  body TEXT NOT NULL,
  health TEXT
);
CREATE INDEX inventory_systems ON inventory (system, id);

-- What is remembered of a system between its runs.
CREATE TABLE standings (
  system TEXT PRIMARY KEY,
  body TEXT NOT NULL
);

-- Readings of inventories, the last ones of each system.
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  system TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX runs_systems ON runs (system, id);

-- When each device was last heard, written in batches. heard_on: the gateway's listening time then, in milliseconds.
CREATE TABLE contacts (
  device_id TEXT PRIMARY KEY,
  heard_on BIGINT NOT NULL,
  heard_at BIGINT,
  battery BIGINT
);

-- What stations were told last of a device's connection and battery; written with the event that tells it.
CREATE TABLE conditions (
  device_id TEXT NOT NULL,
  matter TEXT NOT NULL,
  state TEXT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (device_id, matter)
);

-- Jobs of evidence registries. body: all of a job, as JSON; the other columns are looked for.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  registry_id TEXT NOT NULL,
  state TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX jobs_registry ON jobs (agent, registry_id, id);
CREATE INDEX jobs_open ON jobs (agent, id) WHERE state NOT IN ('ended', 'released', 'cancelled', 'lost');

-- Their files: segments of video, lists of devices, pictures, with the state of their upload.
CREATE TABLE job_files (
  job_id TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  number BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (job_id, attempt, number)
);

-- What an agent did with evidence, each line chained to the one before.
CREATE TABLE custody (
  agent TEXT NOT NULL,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL,
  text TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (agent, number)
);
