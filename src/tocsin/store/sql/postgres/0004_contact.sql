-- When devices were heard, and what was told of it.

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
