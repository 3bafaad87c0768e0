-- Jobs of evidence registries. body: all of a job, as JSON; the other columns are looked for.
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  agent TEXT NOT NULL,
  registry_id TEXT NOT NULL,
  state TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_registry ON jobs (agent, registry_id, id);
CREATE INDEX jobs_open ON jobs (agent, id) WHERE state NOT IN ('ended', 'released', 'cancelled', 'lost');

-- Their files: segments of video, lists of devices, pictures, with the state of their upload.
CREATE TABLE job_files (
  job_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  number INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (job_id, attempt, number)
) STRICT, WITHOUT ROWID;

-- What an agent did with evidence, each line chained to the one before.
CREATE TABLE custody (
  agent TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  text TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (agent, number)
) STRICT, WITHOUT ROWID;
