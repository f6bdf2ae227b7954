-- The first shape of the store. Tables are STRICT; every table of mail carries account_id; keys that a client may
-- remember (mailbox, account) are never used twice, hence AUTOINCREMENT on those.

-- Settings of the server itself: directory generation, server secrets, identifiers.
CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE domain (
  domain_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE,                 -- A-labels, lower case
  split_host TEXT,                                 -- set: unknown addresses are handed to this server
  split_port INTEGER,
  alias_of   INTEGER REFERENCES domain(domain_id), -- set: every address here is the same address there
  catch_all  TEXT,                                 -- an address, canonical
  created    INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  account_id            INTEGER PRIMARY KEY AUTOINCREMENT,
  address               TEXT NOT NULL,             -- canonical; of a parked account: what it was
  display_name          TEXT NOT NULL,
  first_name            TEXT NOT NULL,
  last_name             TEXT NOT NULL,
  administrator         INTEGER NOT NULL DEFAULT 0,
  quota_octets          INTEGER,                   -- NULL: without limit
  state                 TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'parked')),
  parked_since          INTEGER,
  parked_until          INTEGER,
  parked_why            TEXT CHECK (parked_why IN ('removed', 'converted')),
  parked_switches       TEXT,                      -- what the address did, to be put back by restore
  argon2                TEXT,
  scram_salt            BLOB,
  scram_iterations      INTEGER,
  scram_stored_key      BLOB,
  scram_server_key      BLOB,
  credential_generation INTEGER NOT NULL DEFAULT 1,
  uidvalidity_last      INTEGER NOT NULL,
  created               INTEGER NOT NULL
) STRICT;
CREATE INDEX account_address ON account (address);

-- Apart from account, because every delivery writes it.
CREATE TABLE usage (
  account_id INTEGER PRIMARY KEY REFERENCES account(account_id) ON DELETE CASCADE,
  octets     INTEGER NOT NULL,
  messages   INTEGER NOT NULL,
  modseq     INTEGER NOT NULL
) STRICT;

CREATE TABLE app_password (
  app_password_id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id      INTEGER NOT NULL REFERENCES account(account_id) ON DELETE CASCADE,
  label           TEXT NOT NULL,
  hash            BLOB NOT NULL,
  created         INTEGER NOT NULL,
  last_used       INTEGER,
  UNIQUE (account_id, label)
) STRICT;

CREATE TABLE address (
  address_id         INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id          INTEGER NOT NULL REFERENCES domain(domain_id),
  local_part         TEXT NOT NULL,                -- unquoted, lower case
  reserved           INTEGER NOT NULL DEFAULT 0,   -- postmaster and abuse: never removed
  account_id         INTEGER UNIQUE REFERENCES account(account_id), -- set: the mailbox switch is on
  alias_owner        TEXT,                         -- set: the alias switch is on
  alias_paused       INTEGER NOT NULL DEFAULT 0,
  redirection        INTEGER NOT NULL DEFAULT 0,   -- the redirection switch; its targets are rows of target
  redirection_keep   INTEGER NOT NULL DEFAULT 0,
  redirection_paused INTEGER NOT NULL DEFAULT 0,
  responder          TEXT,                         -- set: the responder switch is on; JSON
  compiled_version   INTEGER NOT NULL DEFAULT 0,
  created            INTEGER NOT NULL,
  changed            INTEGER NOT NULL,
  UNIQUE (domain_id, local_part)
) STRICT;

CREATE TABLE target (
  address_id INTEGER NOT NULL REFERENCES address(address_id) ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  target     TEXT NOT NULL,
  paused     INTEGER NOT NULL DEFAULT 0,
  refusals   INTEGER NOT NULL DEFAULT 0,           -- in a row, by the target's server
  last_reply TEXT,
  PRIMARY KEY (address_id, position)
) STRICT;

-- What an address's switches were compiled to, each version kept with who, when and why.
CREATE TABLE compiled (
  address_id INTEGER NOT NULL REFERENCES address(address_id) ON DELETE CASCADE,
  version    INTEGER NOT NULL,
  text       TEXT NOT NULL,
  switches   TEXT NOT NULL,                        -- JSON, so that a rollback restores the switches as well
  author     TEXT NOT NULL,
  cause      TEXT NOT NULL,
  created    INTEGER NOT NULL,
  PRIMARY KEY (address_id, version)
) STRICT;

-- Scripts people and administrators wrote. owner: 'account:7', 'domain:3' or 'server'.
CREATE TABLE script (
  script_id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner     TEXT NOT NULL,
  name      TEXT NOT NULL,
  position  INTEGER,                               -- set: active, in this order
  version   INTEGER NOT NULL,
  UNIQUE (owner, name)
) STRICT;

CREATE TABLE script_version (
  script_id INTEGER NOT NULL REFERENCES script(script_id) ON DELETE CASCADE,
  version   INTEGER NOT NULL,
  text      TEXT NOT NULL,
  author    TEXT NOT NULL,
  cause     TEXT NOT NULL,
  origin    TEXT NOT NULL,                         -- network address it came from, or 'local'
  created   INTEGER NOT NULL,
  PRIMARY KEY (script_id, version)
) STRICT;

CREATE TABLE mailbox (
  mailbox_id      INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id      INTEGER NOT NULL REFERENCES account(account_id),
  name            TEXT NOT NULL,
  uidvalidity     INTEGER NOT NULL,
  uidnext         INTEGER NOT NULL,
  highest_modseq  INTEGER NOT NULL,
  expunge_floor   INTEGER NOT NULL,                -- the expunge history is complete from this modseq on
  messages        INTEGER NOT NULL,
  unseen          INTEGER NOT NULL,
  deleted         INTEGER NOT NULL,
  octets          INTEGER NOT NULL,
  deleted_octets  INTEGER NOT NULL,
  special_use     TEXT,
  keywords        TEXT NOT NULL,                   -- JSON array; a name's place is its bit
  removed         INTEGER NOT NULL DEFAULT 0,      -- gone for everybody; its messages go in pieces
  created         INTEGER NOT NULL,
  UNIQUE (account_id, name)
) STRICT;

CREATE TABLE subscription (
  account_id INTEGER NOT NULL REFERENCES account(account_id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  PRIMARY KEY (account_id, name)
) STRICT;

-- The messages of a mailbox, up to 128 in a row: packed entries of fixed size (store/pages.rs). One row per message was
-- measured and rejected: flags of 20,000 messages took ten times as long to change and to list.
CREATE TABLE page (
  page_id        INTEGER PRIMARY KEY,
  account_id     INTEGER NOT NULL,
  mailbox_id     INTEGER NOT NULL REFERENCES mailbox(mailbox_id),
  first_uid      INTEGER NOT NULL,
  highest_modseq INTEGER NOT NULL,
  entries        BLOB NOT NULL,
  UNIQUE (mailbox_id, first_uid)
) STRICT;

-- One row per expunge: the UIDs as ranges.
CREATE TABLE expunged (
  mailbox_id INTEGER NOT NULL REFERENCES mailbox(mailbox_id) ON DELETE CASCADE,
  modseq     INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  uids       BLOB NOT NULL,
  PRIMARY KEY (mailbox_id, modseq)
) STRICT, WITHOUT ROWID;

-- What IMAP asks of a message, ready to send. Never changed once written, so the reference count lives elsewhere.
CREATE TABLE body (
  body_id       INTEGER PRIMARY KEY AUTOINCREMENT,
  octets        INTEGER NOT NULL,
  hash          BLOB NOT NULL,                     -- SHA-256 of the raw octets; verify recomputes it, EMAILID shows it
  envelope      BLOB NOT NULL,
  bodystructure BLOB NOT NULL,
  structure     BLOB NOT NULL,                     -- offsets of all parts
  facts         BLOB NOT NULL                      -- sort keys, thread references, preview
) STRICT;

-- How many pages' entries and sends name a body. Its own narrow table: copying 100,000 messages changes 100,000 counts.
CREATE TABLE body_reference (
  body_id INTEGER PRIMARY KEY REFERENCES body(body_id) ON DELETE CASCADE,
  count   INTEGER NOT NULL
) STRICT;

-- Bodies nobody names (being received, or all copies expunged), to be removed in small steps after a while.
CREATE TABLE orphan (
  body_id INTEGER PRIMARY KEY REFERENCES body(body_id) ON DELETE CASCADE,
  since   INTEGER NOT NULL
) STRICT;

-- Compressed pieces of at most 256 KiB raw. chunk_id = body_id * 4096 + position: one key, no second index to keep.
CREATE TABLE chunk (
  chunk_id INTEGER PRIMARY KEY,
  octets   INTEGER NOT NULL,                       -- raw
  packing  INTEGER NOT NULL,                       -- 0 as is, 1 zstd
  data     BLOB NOT NULL
) STRICT;

-- Decoded headers and text of a body, compressed: what SEARCH reads.
CREATE TABLE search_text (
  body_id INTEGER PRIMARY KEY REFERENCES body(body_id) ON DELETE CASCADE,
  octets  INTEGER NOT NULL,
  data    BLOB NOT NULL
) STRICT;

-- Mail on its way out, one row per recipient.
CREATE TABLE send (
  send_id     INTEGER PRIMARY KEY AUTOINCREMENT,
  body_id     INTEGER NOT NULL REFERENCES body(body_id),
  account_id  INTEGER,                             -- on whose behalf
  address     TEXT,                                -- which redirection, alias or submitter caused it
  kind        TEXT NOT NULL CHECK (kind IN ('submission', 'redirection', 'reply', 'bounce', 'handover', 'notice')),
  sender      TEXT NOT NULL,                       -- '' is the null reverse-path
  recipient   TEXT NOT NULL,
  destination TEXT NOT NULL,                       -- lower-case domain, or host:port of a fixed next hop
  state       TEXT NOT NULL CHECK (state IN ('due', 'held', 'active')),
  due         INTEGER NOT NULL,
  priority    INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  warned      INTEGER NOT NULL DEFAULT 0,
  last_reply  TEXT,
  details     TEXT NOT NULL                        -- JSON: DSN parameters, SMTPUTF8, REQUIRETLS, cause
) STRICT;
CREATE INDEX send_due ON send (state, due);
CREATE INDEX send_destination ON send (destination, state, due);
CREATE INDEX send_body ON send (body_id);

-- Who was answered, until when no second answer goes out. handle: interval or window of the responder.
CREATE TABLE answered (
  address TEXT NOT NULL,
  sender  TEXT NOT NULL,
  handle  TEXT NOT NULL,
  until   INTEGER NOT NULL,
  PRIMARY KEY (address, sender, handle)
) STRICT, WITHOUT ROWID;
CREATE INDEX answered_until ON answered (until);

-- The duplicate test's memory (RFC 7352).
CREATE TABLE duplicate (
  account_id INTEGER NOT NULL REFERENCES account(account_id) ON DELETE CASCADE,
  id         BLOB NOT NULL,
  until      INTEGER NOT NULL,
  PRIMARY KEY (account_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX duplicate_until ON duplicate (until);

-- Whom an account has written to, and when last: a list that scripts can ask (RFC 6134).
CREATE TABLE correspondent (
  account_id INTEGER NOT NULL REFERENCES account(account_id) ON DELETE CASCADE,
  address    TEXT NOT NULL,
  last       INTEGER NOT NULL,
  PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;

-- The record of every decision. Looked up from the newest backwards, so that deliveries keep no second index.
CREATE TABLE ledger (
  ledger_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  time       INTEGER NOT NULL,
  event      TEXT NOT NULL,
  session    TEXT NOT NULL,
  message_id TEXT NOT NULL,
  sender     TEXT NOT NULL,
  addresses  TEXT NOT NULL,                        -- every address the event speaks of, blank-separated
  send_id    INTEGER,
  detail     TEXT NOT NULL                         -- JSON
) STRICT;

CREATE TABLE dkim_key (
  dkim_key_id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id   INTEGER NOT NULL REFERENCES domain(domain_id) ON DELETE CASCADE,
  selector    TEXT NOT NULL,
  algorithm   TEXT NOT NULL CHECK (algorithm IN ('rsa-sha256', 'ed25519-sha256')),
  private_key BLOB NOT NULL,
  public_key  BLOB NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('next', 'signing', 'retired')),
  created     INTEGER NOT NULL,
  changed     INTEGER NOT NULL,
  UNIQUE (domain_id, selector)
) STRICT;
