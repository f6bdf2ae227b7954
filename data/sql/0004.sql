-- What is wrong with scripts, until a new version of them is put.

-- Of older versions nobody wants to hear any more; they go when they are old.
CREATE TABLE script_fault (
  script_id INTEGER NOT NULL REFERENCES script(script_id) ON DELETE CASCADE,
  version   INTEGER NOT NULL,
  line      INTEGER NOT NULL,
  what      TEXT NOT NULL,
  found     INTEGER NOT NULL,                      -- 1: by reading it; 0: while it ran
  first     INTEGER NOT NULL,
  last      INTEGER NOT NULL,
  count     INTEGER NOT NULL,
  PRIMARY KEY (script_id, version, line, what)
) STRICT, WITHOUT ROWID;

-- When its owner was last told of it by mail.
CREATE TABLE script_notice (
  account_id INTEGER PRIMARY KEY REFERENCES account(account_id) ON DELETE CASCADE,
  told       INTEGER NOT NULL
) STRICT;
