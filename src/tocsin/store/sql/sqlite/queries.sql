-- lock_sequence: nothing to do: there is one writer, and its transaction holds the database

-- lease: the lease of a subject
SELECT owner, epoch, until FROM leases WHERE subject = ?;

-- delivery_state: what may be done with a delivery by hand
SELECT d.destination, d.state, d.exchanged, e.body IS NOT NULL FROM deliveries d JOIN events e ON e.seq = d.event_seq
WHERE d.event_seq = ? AND d.destination = (SELECT id FROM destinations WHERE name = ?);

-- taken [5]: events that came under these identifiers: identifier, place, source, device, digest in hexadecimal
SELECT id, seq, source, device_id, hex(digest) FROM events WHERE id IN (SELECT value FROM json_each(?))
UNION ALL
SELECT a.own_id, e.seq, e.source, e.device_id, hex(e.digest)
FROM aliases a JOIN events e ON e.seq = a.event_seq WHERE a.own_id IN (SELECT value FROM json_each(?));

-- destination_ids: destinations by name
SELECT name, id FROM destinations WHERE name IN (SELECT value FROM json_each(?));

-- events_by_seq [3]: events by place
SELECT seq, id, body FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND body IS NOT NULL;

-- add_events: new events
INSERT INTO events (seq, id, accepted_at, source, kind, device_id, area, digest, repeat_key, body) VALUES {rows};

-- add_deliveries: what they owe
INSERT INTO deliveries (event_seq, destination, lane, state, address, queue, number, due_at, reason) VALUES {rows};

-- add_photos: photos beside their event
INSERT INTO photos (event_seq, n, data, sha256, content_type) VALUES {rows};

-- add_aliases: the identifier an event came under, where it was taken
INSERT INTO aliases (own_id, event_seq) VALUES {rows};

-- add_links: by what token an event's page is found
INSERT INTO links (event_seq, digest) VALUES {rows};

-- add_destinations: number destinations seen for the first time
INSERT INTO destinations (name) VALUES {rows} ON CONFLICT (name) DO NOTHING;

-- open_among [3]: which of these deliveries are open, and how many exchanges they have
SELECT event_seq, destination, exchanged FROM json_each(?) w JOIN deliveries
ON event_seq = w.value ->> 0 AND destination = w.value ->> 1
WHERE state IN ('pending', 'held', 'retrying');

-- settle: what attempts changed; the rows are there, so each is updated
INSERT INTO deliveries (event_seq, destination, state, attempts, due_at, delivered_at, host, receipt, reason,
  exchanged, lane, address, queue, number) VALUES {rows:0, '', '', 0}
ON CONFLICT (event_seq, destination) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
  due_at = excluded.due_at, delivered_at = excluded.delivered_at, host = excluded.host,
  receipt = excluded.receipt, reason = excluded.reason, exchanged = excluded.exchanged;

-- put_devices: devices as they are now
INSERT INTO devices (id, body) VALUES {rows} ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- put_areas: areas as they are now
INSERT INTO areas (name, body) VALUES {rows} ON CONFLICT (name) DO UPDATE SET body = excluded.body;

-- note_delivered: which delivery a destination took last
WITH newest (id, event_seq) AS (VALUES {rows})
UPDATE destinations SET last_delivered = newest.event_seq FROM newest WHERE destinations.id = newest.id;

-- add_exchanges: what was sent and answered
INSERT INTO exchanges (event_seq, destination, n, at, host, result, sent, answer, note) VALUES {rows};

-- drop_exchanges: the middle of a long row of failures
DELETE FROM exchanges WHERE (event_seq, destination, n) IN (VALUES {rows});

-- deliveries_of [15]: all deliveries of these events
SELECT d.event_seq, n.name, e.id, d.lane, d.state, d.address, d.queue, d.number, d.attempts, e.accepted_at,
  d.due_at, d.delivered_at, d.host, d.receipt, d.reason
FROM deliveries d CROSS JOIN events e CROSS JOIN destinations n
WHERE e.seq = d.event_seq AND n.id = d.destination AND d.event_seq IN (SELECT value FROM json_each(?))
ORDER BY d.event_seq, d.destination;

-- drop_photos: photos of these events
DELETE FROM photos WHERE event_seq IN (SELECT value FROM json_each(?));

-- drop_traces: exchanges of these events
DELETE FROM exchanges WHERE event_seq IN (SELECT value FROM json_each(?));

-- drop_links: links of these events
DELETE FROM links WHERE event_seq IN (SELECT value FROM json_each(?));

-- empty_events: bodies of these events
UPDATE events SET body = NULL, repeat_key = NULL WHERE seq IN (SELECT value FROM json_each(?));

-- drop_receipts: deliveries of these events
DELETE FROM deliveries WHERE event_seq IN (SELECT value FROM json_each(?))
AND state NOT IN ('pending', 'held', 'retrying');

-- still_wanted [1]: which of these events anybody else is told of, or was
SELECT DISTINCT event_seq FROM deliveries WHERE event_seq IN (SELECT value FROM json_each(?))
AND state NOT IN ('filtered', 'superseded');

-- drop_bare_aliases: other identifiers of emptied events nobody names any more
DELETE FROM aliases WHERE event_seq IN (
  SELECT e.seq FROM events e WHERE e.seq IN (SELECT value FROM json_each(?)) AND e.body IS NULL
  AND e.seq < (SELECT max(seq) FROM events) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = e.seq));

-- drop_bare_events: emptied events nobody names any more, but never the newest
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?)) AND body IS NULL
AND seq < (SELECT max(seq) FROM events) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = events.seq);

-- probe: a write large enough to need room, before the database is called well again
INSERT INTO meta (name, value) VALUES ('probe', hex(zeroblob(65536))) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- lease_epoch: fences a settlement by a node that lost its lease
SELECT epoch FROM leases WHERE subject = ?;

-- seq_of: an event by its identifier, unless it is past retention
SELECT seq FROM events WHERE id = ? AND body IS NOT NULL;

-- command_now: one command, before it is changed
SELECT body, state, sent_at, ended_at, result FROM commands WHERE id = ?;

-- add_commands: orders as requested
INSERT INTO commands (id, request_id, device_id, device_order, state, requested_by, idempotency_key, expires_at, body)
VALUES {rows};

-- put_identities: ids given for the first time
INSERT INTO identities (system, kind, native_key, id) VALUES {rows} ON CONFLICT DO NOTHING;

-- inventory_bodies [1]: what is kept of these devices
SELECT body FROM inventory WHERE id IN (SELECT value FROM json_each(?));

-- put_inventory: devices of systems as they are now
INSERT INTO inventory (id, system, body) VALUES {rows} ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- put_healths: what is known of their state
WITH given (id, health) AS (VALUES {rows})
UPDATE inventory SET health = given.health FROM given WHERE inventory.id = given.id;

-- note_contacts: devices were heard, never earlier than known before
INSERT INTO contacts (device_id, heard_on, heard_at, battery) VALUES {rows}
ON CONFLICT (device_id) DO UPDATE SET heard_on = excluded.heard_on,
  heard_at = coalesce(excluded.heard_at, contacts.heard_at), battery = coalesce(excluded.battery, contacts.battery)
WHERE excluded.heard_on >= contacts.heard_on;

-- put_conditions: what was told last; something later stays
INSERT INTO conditions (device_id, matter, state, n) VALUES {rows}
ON CONFLICT (device_id, matter) DO UPDATE SET state = excluded.state, n = excluded.n WHERE excluded.n > conditions.n;

-- drop_job_files: files of jobs that are gone
DELETE FROM job_files WHERE job_id IN (SELECT value FROM json_each(?));

-- lock_custody: nothing to do: there is one writer, and its transaction holds the database
