-- Orders to devices, and whether devices are armed.

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
