-- The queue finds its way: which destination is due, whose turn it is there, what belongs into one transaction.

-- Among those who send to one destination each has his turn: the address that caused the send, else its sender.
ALTER TABLE send ADD COLUMN origin TEXT NOT NULL DEFAULT '';
-- When it could go out for the first time: pauses and warnings count from here.
ALTER TABLE send ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
-- Set: the sender is to hear by then that it has not gone out. NULL: some hours after `since`.
ALTER TABLE send ADD COLUMN tell_at INTEGER;
UPDATE send SET origin = coalesce(address, CASE sender WHEN '' THEN '<>' ELSE sender END), since = created;

DROP INDEX send_due;
DROP INDEX send_destination;
DROP INDEX send_body;
-- Only what waits is in these; the rest of a row's life costs them nothing.
CREATE INDEX send_turn ON send (destination, priority, origin, due) WHERE state = 'due';
CREATE INDEX send_next ON send (destination, due) WHERE state = 'due';
CREATE INDEX send_active ON send (send_id) WHERE state = 'active';
CREATE INDEX send_body ON send (body_id, destination);

-- Destinations with sends that wait. No send of one waits for an earlier time than its row says; it may say too early a
-- time, and is put right when somebody looks.
CREATE TABLE destination (
  destination TEXT PRIMARY KEY,
  due         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX destination_due ON destination (due, destination);
INSERT INTO destination (destination, due) SELECT destination, min(due) FROM send WHERE state <> 'held' GROUP BY destination;

-- Senders whose address is too long to be written into a return path of ours (64 octets before the @).
CREATE TABLE long_sender (
  long_sender_id INTEGER PRIMARY KEY AUTOINCREMENT,
  sender         TEXT NOT NULL UNIQUE,
  last_used      INTEGER NOT NULL
) STRICT;
CREATE INDEX long_sender_used ON long_sender (last_used);

-- What domains say about the servers they take mail by (RFC 8461), for as long as they want it remembered.
CREATE TABLE transport_policy (
  domain  TEXT PRIMARY KEY,
  id      TEXT NOT NULL,
  text    TEXT NOT NULL,
  fetched INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A bounce names a target; whose it is, is looked up by it.
CREATE INDEX target_target ON target (target);
