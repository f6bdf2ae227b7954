-- The ledger is found by a message's identifier, by an address, and by a session.

-- Each is a number in here. Rows are added some time after the event, so that deliveries keep no second index; events
-- above `ledger_indexed` are looked through one by one.
CREATE TABLE ledger_key (
  key       INTEGER NOT NULL,                      -- the first 63 bits of a SHA-256
  ledger_id INTEGER NOT NULL,
  PRIMARY KEY (key, ledger_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_indexed (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  ledger_id INTEGER NOT NULL
) STRICT;
INSERT INTO ledger_indexed (one, ledger_id) VALUES (1, 0);
