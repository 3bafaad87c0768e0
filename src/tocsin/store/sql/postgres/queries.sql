-- lock_sequence: places in the store are given in the order of commits, across all nodes
SELECT pg_advisory_xact_lock(1416586099, 1);

-- lease_epoch: fences a settlement by a node that lost its lease; nobody takes it over before the settlement is done
SELECT epoch FROM leases WHERE subject = ? FOR SHARE;

-- lease: the lease of a subject
SELECT owner, epoch, until FROM leases WHERE subject = ? FOR UPDATE;

-- seq_of: an event by its identifier, unless it is past retention
SELECT seq FROM events WHERE id = ? AND body IS NOT NULL FOR UPDATE;

-- delivery_state: what may be done with a delivery by hand
SELECT d.destination, d.state, d.exchanged, e.body IS NOT NULL FROM deliveries d JOIN events e ON e.seq = d.event_seq
WHERE d.event_seq = ? AND d.destination = (SELECT id FROM destinations WHERE name = ?) FOR UPDATE OF d;

-- taken: events that came under these identifiers: identifier, place, source, device, digest in hexadecimal
SELECT id, seq, source, device_id, encode(digest, 'hex') FROM events WHERE id = ANY (?::text[])
UNION ALL
SELECT a.own_id, e.seq, e.source, e.device_id, encode(e.digest, 'hex')
FROM aliases a JOIN events e ON e.seq = a.event_seq WHERE a.own_id = ANY (?::text[]);

-- destination_ids: destinations by name
SELECT name, id FROM destinations WHERE name = ANY (?::text[]);

-- events_by_seq: events by place
SELECT seq, id, body FROM events WHERE seq = ANY (?::bigint[]) AND body IS NOT NULL;

-- add_events: new events
INSERT INTO events (seq, id, accepted_at, source, kind, device_id, area, digest, repeat_key, body)
SELECT * FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[],
  ?::bytea[], ?::bytea[], ?::text[]);

-- add_deliveries: what they owe
INSERT INTO deliveries (event_seq, destination, lane, state, address, queue, number, due_at, reason)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[],
  ?::bigint[], ?::text[]);

-- add_photos: photos beside their event
INSERT INTO photos (event_seq, n, data, sha256, content_type)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bytea[], ?::text[], ?::text[]);

-- add_aliases: the identifier an event came under, where it was taken
INSERT INTO aliases (own_id, event_seq) SELECT * FROM unnest(?::text[], ?::bigint[]);

-- add_links: by what token an event's page is found
INSERT INTO links (event_seq, digest) SELECT * FROM unnest(?::bigint[], ?::bytea[]);

-- add_destinations: number destinations seen for the first time
INSERT INTO destinations (name) SELECT * FROM unnest(?::text[]) ON CONFLICT (name) DO NOTHING;

-- open_among: which of these deliveries are open, and how many exchanges they have
SELECT d.event_seq, d.destination, d.exchanged
FROM json_array_elements(?::json) w (pair) JOIN deliveries d
ON d.event_seq = (w.pair ->> 0)::bigint AND d.destination = (w.pair ->> 1)::bigint
WHERE d.state IN ('pending', 'held', 'retrying') FOR UPDATE OF d;

-- settle: what attempts changed
UPDATE deliveries d SET state = o.state, attempts = o.attempts, due_at = o.due_at, delivered_at = o.delivered_at,
  host = o.host, receipt = o.receipt, reason = o.reason, exchanged = o.exchanged
FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[],
  ?::text[], ?::bigint[])
  AS o (event_seq, destination, state, attempts, due_at, delivered_at, host, receipt, reason, exchanged)
WHERE d.event_seq = o.event_seq AND d.destination = o.destination;

-- put_devices: devices as they are now
INSERT INTO devices (id, body) SELECT * FROM unnest(?::text[], ?::text[])
ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- put_areas: areas as they are now
INSERT INTO areas (name, body) SELECT * FROM unnest(?::text[], ?::text[])
ON CONFLICT (name) DO UPDATE SET body = excluded.body;

-- note_delivered: which delivery a destination took last
UPDATE destinations SET last_delivered = newest.event_seq
FROM unnest(?::bigint[], ?::bigint[]) AS newest (id, event_seq) WHERE destinations.id = newest.id;

-- add_exchanges: what was sent and answered
INSERT INTO exchanges (event_seq, destination, n, at, host, result, sent, answer, note)
SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[],
  ?::text[], ?::text[]);

-- drop_exchanges: the middle of a long row of failures
DELETE FROM exchanges x USING unnest(?::bigint[], ?::bigint[], ?::bigint[]) AS gone (event_seq, destination, n)
WHERE x.event_seq = gone.event_seq AND x.destination = gone.destination AND x.n = gone.n;

-- deliveries_of: all deliveries of these events
SELECT d.event_seq, n.name, e.id, d.lane, d.state, d.address, d.queue, d.number, d.attempts, e.accepted_at,
  d.due_at, d.delivered_at, d.host, d.receipt, d.reason
FROM deliveries d JOIN events e ON e.seq = d.event_seq JOIN destinations n ON n.id = d.destination
WHERE d.event_seq = ANY (?::bigint[]) ORDER BY d.event_seq, d.destination;

-- drop_photos: photos of these events
DELETE FROM photos WHERE event_seq = ANY (?::bigint[]);

-- drop_traces: exchanges of these events
DELETE FROM exchanges WHERE event_seq = ANY (?::bigint[]);

-- drop_links: links of these events
DELETE FROM links WHERE event_seq = ANY (?::bigint[]);

-- empty_events: bodies of these events
UPDATE events SET body = NULL, repeat_key = NULL WHERE seq = ANY (?::bigint[]);

-- drop_receipts: deliveries of these events
DELETE FROM deliveries WHERE event_seq = ANY (?::bigint[]) AND state NOT IN ('pending', 'held', 'retrying');

-- still_wanted: which of these events anybody else is told of, or was
SELECT DISTINCT event_seq FROM deliveries WHERE event_seq = ANY (?::bigint[]) AND state NOT IN ('filtered', 'superseded');

-- drop_bare_aliases: other identifiers of emptied events nobody names any more
DELETE FROM aliases WHERE event_seq IN (
  SELECT e.seq FROM events e WHERE e.seq = ANY (?::bigint[]) AND e.body IS NULL
  AND e.seq < (SELECT max(seq) FROM events) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = e.seq));

-- drop_bare_events: emptied events nobody names any more, but never the newest
DELETE FROM events WHERE seq = ANY (?::bigint[]) AND body IS NULL
AND seq < (SELECT max(seq) FROM events) AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = events.seq);

-- lock_schema: only one node creates or migrates
SELECT pg_advisory_xact_lock(1416586099, 2);

-- has_meta: whether this database holds anything of ours
SELECT to_regclass('meta') IS NOT NULL;

-- server: who answers, and as whom we are let in
SELECT current_setting('server_version'), current_user, current_database(), current_schema();

-- denied_tables: those of ours in which this user may not do everything
SELECT t.name FROM unnest(?::text[]) AS t (name) WHERE to_regclass(t.name) IS NOT NULL AND NOT (
  has_table_privilege(to_regclass(t.name), 'SELECT') AND has_table_privilege(to_regclass(t.name), 'INSERT')
  AND has_table_privilege(to_regclass(t.name), 'UPDATE') AND has_table_privilege(to_regclass(t.name), 'DELETE'))
ORDER BY t.name;

-- foreign_tables: those of ours that this user may not change the form of
SELECT c.relname FROM pg_class c JOIN unnest(?::text[]) AS t (name) ON c.oid = to_regclass(t.name)
WHERE NOT pg_has_role(c.relowner, 'USAGE') ORDER BY c.relname;

-- may_create: whether new tables can be made where the tables are
SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false);

-- command_now: one command, before it is changed
SELECT body, state, sent_at, ended_at, result FROM commands WHERE id = ? FOR UPDATE;

-- add_commands: orders as requested
INSERT INTO commands (id, request_id, device_id, device_order, state, requested_by, idempotency_key, expires_at, body)
SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[],
  ?::text[]);

-- put_identities: ids given for the first time
INSERT INTO identities (system, kind, native_key, id) SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::text[])
ON CONFLICT DO NOTHING;

-- inventory_bodies [1]: what is kept of these devices
SELECT body FROM inventory WHERE id = ANY(?::text[]);

-- put_inventory: devices of systems as they are now
INSERT INTO inventory (id, system, body) SELECT * FROM unnest(?::text[], ?::text[], ?::text[])
ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- put_healths: what is known of their state
UPDATE inventory SET health = given.health FROM unnest(?::text[], ?::text[]) AS given (id, health)
WHERE inventory.id = given.id;

-- note_contacts: devices were heard, never earlier than known before
INSERT INTO contacts (device_id, heard_on, heard_at, battery)
SELECT * FROM unnest(?::text[], ?::bigint[], ?::bigint[], ?::bigint[])
ON CONFLICT (device_id) DO UPDATE SET heard_on = excluded.heard_on,
  heard_at = coalesce(excluded.heard_at, contacts.heard_at), battery = coalesce(excluded.battery, contacts.battery)
WHERE excluded.heard_on >= contacts.heard_on;

-- put_conditions: what was told last; something later stays
INSERT INTO conditions (device_id, matter, state, n)
SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::bigint[])
ON CONFLICT (device_id, matter) DO UPDATE SET state = excluded.state, n = excluded.n WHERE excluded.n > conditions.n;

-- drop_job_files: files of jobs that are gone
DELETE FROM job_files WHERE job_id = ANY (?::text[]);

-- lock_custody: the lines of an agent's log are numbered one after the other, across all nodes
SELECT pg_advisory_xact_lock(hashtextextended(?, 1416586099));
