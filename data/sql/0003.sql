-- What IMAP's extensions remember of mailboxes and messages.

-- QUOTA's MESSAGE resource. NULL: without limit.
ALTER TABLE usage ADD COLUMN quota_messages INTEGER;

-- METADATA (RFC 5464). mailbox_id 0: of the account or server; account_id 0: shared, else whose private entry it is.
CREATE TABLE annotation (
  mailbox_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  entry      TEXT NOT NULL,                        -- lower case, with its /private or /shared
  value      BLOB NOT NULL,
  PRIMARY KEY (mailbox_id, account_id, entry)
) STRICT, WITHOUT ROWID;

-- ACL (RFC 4314), but for the owner, who has every right.
CREATE TABLE acl (
  mailbox_id INTEGER NOT NULL REFERENCES mailbox(mailbox_id) ON DELETE CASCADE,
  grantee_id INTEGER NOT NULL,                     -- an account; 0: anyone
  negative   INTEGER NOT NULL,                     -- 1: these rights are taken away
  account_id INTEGER NOT NULL,                     -- the owner
  rights     INTEGER NOT NULL,                     -- a bit each
  PRIMARY KEY (mailbox_id, grantee_id, negative)
) STRICT, WITHOUT ROWID;
CREATE INDEX acl_grantee ON acl (grantee_id);

-- Which thread a message identifier belongs to (RFC 8474 section 5.2): once worked out, for ever.
CREATE TABLE thread_reference (
  account_id INTEGER NOT NULL REFERENCES account(account_id) ON DELETE CASCADE,
  reference  INTEGER NOT NULL,                     -- the first 63 bits of the identifier's SHA-256
  thread_id  INTEGER NOT NULL,
  PRIMARY KEY (account_id, reference)
) STRICT, WITHOUT ROWID;

-- A COPY too large for one transaction holds its bodies here until the one transaction in which all copies appear.
CREATE TABLE copying (
  copying_id INTEGER PRIMARY KEY AUTOINCREMENT,
  since      INTEGER NOT NULL,
  bodies     BLOB NOT NULL                         -- 8 octets each
) STRICT;

-- What SEARCH looks at before it unpacks a message's text. A row may be missing; then the text itself is looked at.
CREATE TABLE search_sketch (
  body_id   INTEGER PRIMARY KEY REFERENCES body(body_id) ON DELETE CASCADE,
  signature BLOB NOT NULL,
  fields    BLOB NOT NULL
) STRICT;
