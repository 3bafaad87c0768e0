-- Ids of devices of on-prem systems, once given for ever, by what the system calls them.
CREATE TABLE identities (
  system TEXT NOT NULL,
  kind TEXT NOT NULL,
  native_key TEXT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  PRIMARY KEY (system, kind, native_key)
) STRICT, WITHOUT ROWID;

-- Devices of on-prem systems and tombstones. body: record and bookkeeping; health apart, because others write it.
CREATE TABLE inventory (
  id TEXT PRIMARY KEY,
  system TEXT NOT NULL,
  body TEXT NOT NULL,
  health TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX inventory_systems ON inventory (system, id);

-- What is remembered of a system between its runs.
CREATE TABLE standings (
  system TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Readings of inventories, the last ones of each system.
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  system TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_systems ON runs (system, id);
