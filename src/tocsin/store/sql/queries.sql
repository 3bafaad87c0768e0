-- last_seq: the newest event's place; the next one is counted from it
SELECT coalesce(max(seq), 0) FROM events;

-- destination_names: all destinations that were ever owed anything
SELECT name FROM destinations ORDER BY name;

-- make_lease: a subject's first lease, owned by nobody
INSERT INTO leases (subject, owner, epoch, until) VALUES (?, '', 0, 0) ON CONFLICT (subject) DO NOTHING;

-- take_lease: take or renew
UPDATE leases SET owner = ?, epoch = ?, until = ? WHERE subject = ?;

-- release: give a lease back before its time; the next owner raises the epoch
UPDATE leases SET owner = '', until = 0 WHERE subject = ? AND owner = ? AND epoch = ?;

-- reserve: numbers of a counter, given once and for ever
INSERT INTO counters (scope, next) VALUES (?, ?)
ON CONFLICT (scope) DO UPDATE SET next = counters.next + ? RETURNING next;

-- photo_numbers: which photos an event has
SELECT n, sha256 FROM photos WHERE event_seq = ?;

-- photos: the photos of an event
SELECT n, data, sha256, content_type FROM photos WHERE event_seq = ? ORDER BY n;

-- amend: an event as it is now
UPDATE events SET body = ?, area = ? WHERE seq = ?;

-- unhold: held deliveries of an event become due
UPDATE deliveries SET state = 'pending', due_at = NULL WHERE event_seq = ? AND state = 'held'
RETURNING event_seq, destination;

-- resubmit: open a closed delivery again, with a fresh address
UPDATE deliveries SET state = ?, lane = ?, address = ?, queue = ?, number = ?, due_at = ?,
  delivered_at = NULL, host = '', receipt = '', reason = ''
WHERE event_seq = ? AND destination = ?;

-- discard: close a delivery by hand
UPDATE deliveries SET state = 'discarded', due_at = NULL, reason = ? WHERE event_seq = ? AND destination = ?;

-- count_exchange: one more exchange in a delivery's trace
UPDATE deliveries SET exchanged = exchanged + 1 WHERE event_seq = ? AND destination = ?;

-- due [10]: open deliveries with their events, in order
SELECT d.event_seq, n.name, d.lane, d.address, d.queue, d.number, d.attempts, d.due_at, e.id, e.body
FROM deliveries d CROSS JOIN events e CROSS JOIN destinations n
WHERE e.seq = d.event_seq AND n.id = d.destination AND {where}
ORDER BY d.event_seq LIMIT ?;

-- events [3]: events for people, newest first
SELECT e.seq, e.id, e.body FROM events e WHERE e.body IS NOT NULL AND {where} ORDER BY e.seq DESC LIMIT ?;

-- deliveries [15]: deliveries for people, newest first
SELECT d.event_seq, n.name, e.id, d.lane, d.state, d.address, d.queue, d.number, d.attempts, e.accepted_at,
  d.due_at, d.delivered_at, d.host, d.receipt, d.reason
FROM deliveries d CROSS JOIN events e CROSS JOIN destinations n
WHERE e.seq = d.event_seq AND n.id = d.destination AND {where}
ORDER BY d.event_seq DESC, d.destination DESC LIMIT ?;

-- trace: what was sent and answered, oldest first
SELECT x.at, x.host, x.result, x.sent, x.answer, x.note
FROM exchanges x JOIN destinations n ON n.id = x.destination
WHERE x.event_seq = ? AND n.name = ? ORDER BY x.n;

-- backlog: open deliveries per lane and the instant of the oldest, from the index of open deliveries
SELECT o.lane, o.pending, e.accepted_at FROM (
  SELECT lane, count(*) AS pending, min(event_seq) AS oldest FROM deliveries
  WHERE destination = (SELECT id FROM destinations WHERE name = ?) AND state IN ('pending', 'held', 'retrying')
  GROUP BY lane
) o JOIN events e ON e.seq = o.oldest;

-- recent_repeats: what a source recognises repeats by
SELECT repeat_key, accepted_at, seq FROM events
WHERE source = ? AND accepted_at >= ? AND repeat_key IS NOT NULL ORDER BY accepted_at;

-- devices [2]: devices by id, some at a time
SELECT id, body FROM devices WHERE id > ? ORDER BY id LIMIT ?;

-- put_device: a device as it is now
INSERT INTO devices (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- delete_device: forget a device
DELETE FROM devices WHERE id = ? RETURNING id;

-- areas: all areas
SELECT body FROM areas ORDER BY name;

-- delete_area: forget an area
DELETE FROM areas WHERE name = ? RETURNING name;

-- link: an event by the digest of its link's token
SELECT l.digest, l.revoked_at, e.seq, e.id, e.body FROM links l JOIN events e ON e.seq = l.event_seq
WHERE l.digest = ? AND e.body IS NOT NULL;

-- revoke_link: an event's link is good no longer
UPDATE links SET revoked_at = ? WHERE event_seq = ? AND revoked_at IS NULL RETURNING event_seq;

-- tests: what is on test
SELECT body FROM tests ORDER BY since, id;

-- put_test: something is on test
INSERT INTO tests (id, since, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- end_test: it is no longer
DELETE FROM tests WHERE id = ? RETURNING id;

-- add_audit: who did what
INSERT INTO audit (at, who, action, subject, source_address, result) VALUES (?, ?, ?, ?, ?, ?);

-- audit_entries: the newest entries
SELECT at, who, action, subject, source_address, result FROM audit ORDER BY n DESC LIMIT ?;

-- old_photos: events with photos, from a place on: place, old?, open?, how many
SELECT p.event_seq, CASE WHEN e.accepted_at < ? THEN 1 ELSE 0 END,
  CASE WHEN EXISTS (SELECT 1 FROM deliveries d
    WHERE d.event_seq = e.seq AND d.state IN ('pending', 'held', 'retrying')) THEN 1 ELSE 0 END, p.photos
FROM (SELECT event_seq, count(*) AS photos FROM photos WHERE event_seq > ?
  GROUP BY event_seq ORDER BY event_seq LIMIT ?) p JOIN events e ON e.seq = p.event_seq
ORDER BY p.event_seq;

-- old_events: events, from a place on: place, old?, open?, 1 if its body is still there and it may go
SELECT e.seq, CASE WHEN e.accepted_at < ? THEN 1 ELSE 0 END,
  CASE WHEN EXISTS (SELECT 1 FROM deliveries d
    WHERE d.event_seq = e.seq AND d.state IN ('pending', 'held', 'retrying')) THEN 1 ELSE 0 END,
  CASE WHEN e.body IS NULL THEN 0 ELSE 1 END
FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?;

-- old_receipts: events with deliveries, from a place on: place, old?, open?, how many
SELECT r.event_seq, CASE WHEN e.accepted_at < ? THEN 1 ELSE 0 END,
  CASE WHEN EXISTS (SELECT 1 FROM deliveries d
    WHERE d.event_seq = e.seq AND d.state IN ('pending', 'held', 'retrying')) THEN 1 ELSE 0 END, r.receipts
FROM (SELECT event_seq, count(*) AS receipts FROM deliveries WHERE event_seq > ?
  GROUP BY event_seq ORDER BY event_seq LIMIT ?) r JOIN events e ON e.seq = r.event_seq
ORDER BY r.event_seq;

-- schema_version: what the database says about itself
SELECT name, value FROM meta WHERE name IN ('schema', 'written_by', 'migrations');

-- put_meta: note something about the database
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- meta [1]: a note
SELECT value FROM meta WHERE name = ?;

-- drop_meta: forget a note
DELETE FROM meta WHERE name = ?;

-- old_audit: how many entries go, and up to which
SELECT count(*), coalesce(max(n), 0) FROM (SELECT n FROM audit WHERE at < ? ORDER BY n LIMIT ?) AS old;

-- drop_audit: old entries
DELETE FROM audit WHERE at < ? AND n <= ?;

-- keyed_commands: what was requested with this key before
SELECT body, state, sent_at, ended_at, result FROM commands WHERE requested_by = ? AND idempotency_key = ? ORDER BY id;

-- replace_commands: what a device has not fetched yet gives way to a later order
UPDATE commands SET state = 'failed', ended_at = ?, result = ?
WHERE device_id = ? AND state = 'requested' AND device_order IN (?, ?)
RETURNING body, state, sent_at, ended_at, result;

-- send_commands: the device fetches what is still in time
UPDATE commands SET state = 'sent', sent_at = ? WHERE device_id = ? AND state = 'requested' AND expires_at > ?;

-- commands [5]: orders, newest first
SELECT body, state, sent_at, ended_at, result FROM commands WHERE {where} ORDER BY id DESC LIMIT ?;

-- end_command: the device's own word
UPDATE commands SET state = ?, ended_at = ?, result = ? WHERE id = ?;

-- expire_command: nobody fetched it, or nobody said how it ended; unless that has just happened
UPDATE commands SET state = 'expired', ended_at = ?, result = ? WHERE id = ? AND state = ?
RETURNING body, state, sent_at, ended_at, result;

-- later_arming: whether the device has confirmed a later arming order
SELECT 1 FROM commands WHERE device_id = ? AND id > ? AND state = 'confirmed' AND device_order IN ('arm', 'disarm')
LIMIT 1;

-- put_arming: a device as it is now
INSERT INTO armings (device_id, armed, since, until, no_time_limit, changed_by) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (device_id) DO UPDATE SET armed = excluded.armed, since = excluded.since, until = excluded.until,
  no_time_limit = excluded.no_time_limit, changed_by = excluded.changed_by;

-- end_disarm: from now on the device may be armed
UPDATE armings SET until = ? WHERE device_id = ? AND armed = 0 AND (until IS NULL OR until > ?);

-- armings [6]: devices that were ever armed or disarmed
SELECT device_id, armed, since, until, no_time_limit, changed_by FROM armings ORDER BY device_id;

-- drop_commands: old ones that have ended; identifiers begin with their time
DELETE FROM commands WHERE id IN (
  SELECT id FROM commands WHERE id < ? AND state NOT IN ('requested', 'sent') ORDER BY id LIMIT ?)
RETURNING id;

-- inventory [2]: devices of a system
SELECT body, health FROM inventory WHERE system = ? ORDER BY id;

-- inventory_systems [1]: systems that were ever read
SELECT system FROM standings ORDER BY system;

-- identities [3]: ids that were given
SELECT kind, native_key, id FROM identities WHERE system = ?;

-- standing: what is remembered of a system
SELECT body FROM standings WHERE system = ?;

-- put_standing: what is to be remembered of it
INSERT INTO standings (system, body) VALUES (?, ?) ON CONFLICT (system) DO UPDATE SET body = excluded.body;

-- drop_health: a tombstone has none
UPDATE inventory SET health = NULL WHERE id = ?;

-- drop_inventory: a tombstone past its time
DELETE FROM inventory WHERE id = ?;

-- put_run: a run as it is now
INSERT INTO runs (id, system, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body;

-- drop_runs: all but the last ones; identifiers begin with their time
DELETE FROM runs WHERE system = ? AND id IN (
  SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM runs WHERE system = ?) AS ranked
  WHERE n > ?);

-- run: one run
SELECT body FROM runs WHERE id = ?;

-- runs [1]: the last runs of a system
SELECT body FROM runs WHERE system = ? ORDER BY id DESC LIMIT ?;

-- listened: how long the gateway has listened in all, in milliseconds
SELECT value FROM meta WHERE name = 'listened_ms';

-- contacts [4]: when each device was last heard
SELECT device_id, heard_on, heard_at, battery FROM contacts ORDER BY device_id;

-- drop_contact: the device is gone
DELETE FROM contacts WHERE device_id = ?;

-- conditions [4]: what was told last of each device
SELECT device_id, matter, state, n FROM conditions ORDER BY device_id, matter;

-- put_job: a job as it is now
INSERT INTO jobs (id, agent, registry_id, state, updated_at, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at, body = excluded.body;

-- job: one job
SELECT body FROM jobs WHERE id = ?;

-- job_known: the last one the registry calls so
SELECT body FROM jobs WHERE agent = ? AND registry_id = ? ORDER BY id DESC LIMIT 1;

-- jobs [1]: jobs, newest first
SELECT body FROM jobs WHERE {where} ORDER BY id DESC LIMIT ?;

-- open_jobs [1]: jobs that were being worked on
SELECT body FROM jobs WHERE agent = ? AND state NOT IN ('ended', 'released', 'cancelled', 'lost') ORDER BY id;

-- drop_jobs: old ones that have ended
DELETE FROM jobs WHERE id IN (
  SELECT id FROM jobs WHERE updated_at < ? AND state IN ('ended', 'released', 'cancelled', 'lost') ORDER BY id LIMIT ?)
RETURNING id;

-- put_job_file: a file as it is now
INSERT INTO job_files (job_id, attempt, number, body) VALUES (?, ?, ?, ?)
ON CONFLICT (job_id, attempt, number) DO UPDATE SET body = excluded.body;

-- job_files [1]: files of a job
SELECT body FROM job_files WHERE job_id = ? ORDER BY attempt, number;

-- add_custody: the next line
INSERT INTO custody (agent, number, at, text, sha256) VALUES (?, ?, ?, ?, ?);

-- custody_line: one line, to be compared
SELECT sha256 FROM custody WHERE agent = ? AND number = ?;

-- last_custody: the last line of an agent's log
SELECT agent, number, at, text, sha256 FROM custody WHERE agent = ? ORDER BY number DESC LIMIT 1;

-- custody [5]: lines of an agent's log
SELECT agent, number, at, text, sha256 FROM custody WHERE agent = ? AND number > ? ORDER BY number LIMIT ?;

-- drop_custody: the oldest lines up to the first young one, but never the last; what stays is one unbroken chain
DELETE FROM custody WHERE (agent, number) IN (
  SELECT c.agent, c.number FROM custody c WHERE c.number < coalesce(
    (SELECT min(y.number) FROM custody y WHERE y.agent = c.agent AND y.at >= ?),
    (SELECT max(y.number) FROM custody y WHERE y.agent = c.agent))
  ORDER BY c.number LIMIT ?)
RETURNING number;
