//! # posthouse
//!
//! A mail server in one binary: mailboxes in SQLite; every redirection, kept copy and auto-reply of an address compiled
//! into a Sieve script that runs at delivery. Its promise: every rule about an address can be read, tried, explained and
//! undone; no acknowledged mail is lost or doubled.
//!
//! This page is the map. It changes in the same commit as the code.
//!
//! ## Words
//!
//! A *domain* is authoritative (every address lives here), split (unknown addresses go to its other server), or an alias
//! of another. An *address* has independent *switches*: mailbox, alias, redirection, responder. An *account* is the person
//! behind a mailbox. An *alias* is a mask: nothing that goes out shows its owner. A *plan* is what one accepted message
//! will do; deciding makes the plan, committing it is one transaction. A *send* is a message on its way out, one row per
//! recipient. The *ledger* is the record of every decision.
//!
//! ## The path of a message
//!
//! In: `net` (socket, TLS, limits) → `smtp` session (grammar, states) → `policy` at each stage, `auth`, `directory` at
//! RCPT → `delivery`: for every address the message reaches, `filter` runs its script → one plan for all recipients →
//! one store transaction (bodies, filings, sends, replies, memories, ledger) → only then `250`. IMAP sessions wake from
//! the store's change feed. Out: `queue` → `smtp` client → the recipient's server. A redirection to an address of ours
//! is followed inside the same plan; a target that is reached twice gets one copy. Deciding before answering means that a
//! script's `reject`, a full mailbox or a refusal by policy is said to the sending server, so no backscatter is written.
//!
//! Rules: `cli` and `managesieve` → `admin` → `directory` + `rules` → Sieve text, which must compile and pass the proof over the whole
//! address graph → stored as a new version. While the server runs, `cli` speaks to it through a socket in the data
//! directory; otherwise it opens the store itself and calls the same functions.
//!
//! ## Layers
//!
//! A module uses what its line says, plus `types` and `telemetry`, and nothing else of ours. `tests/tidy.rs` reads this
//! table and every import.
//!
//! | module | what it is | uses |
//! |---|---|---|
//! | `types` | addresses, names, numbers, time, limits: values checked once; files that are written whole; messages that wait | – |
//! | `message` | raw octets with a parsed view; IMAP structures; header edits; mail we write | – |
//! | `rules` | switches to Sieve text; the address graph and its proof; never runs or stores anything | – |
//! | `config` | file to checked configuration; all defaults | – |
//! | `telemetry` | log, session ids, redaction, metrics | – |
//! | `net` | listeners, TLS, bounded reading, timeouts, caps, shutdown; no protocol word | – |
//! | `dns` | the resolver's trait, the real one and a fake | – |
//! | `store` | everything remembered; the only place with SQL, `store/sqlite` the only one that names the engine | – |
//! | `auth` | credentials to [`auth::Authenticated`], its only maker | store |
//! | `directory` | address to what it is | store, rules |
//! | `policy` | facts of one stage to an outcome: SPF, DKIM, DMARC, lists, rates, loops; our DKIM signatures and keys | dns, message |
//! | `filter` | Sieve: compile and run; the only place that names the engine | message |
//! | `mailbox` | the protocols' only way to mail; open mailboxes, search, change feed | store, message |
//! | `queue` | what is due, to which server, when again, give up, bounce; signs what goes out | store, dns, message, policy |
//! | `delivery` | accepted message to plan to one commit | directory, filter, mailbox, queue, store, message, rules |
//! | `admin` | one function per administrator's act, such as a domain's DKIM keys and what DNS says of it | auth, directory, rules, filter, mailbox, policy, queue, delivery, store, dns |
//! | `smtp` | grammar for both sides, server sessions, client | net, message, auth, policy, directory, delivery, queue |
//! | `imap` | grammar, sessions, what a client was told | net, auth, mailbox, delivery |
//! | `managesieve` | scripts by RFC 5804 | net, auth, filter, admin |
//! | `server` | assembly: the one place that names long-lived tasks | everything but cli |
//! | `cli` | one file per command: parse, call `admin`, print | config, admin, server |
//!
//! Protocol modules never name each other, the store, or DNS. A session is a state machine without I/O; sockets and
//! timers live in a thin driver beside it.
//!
//! ## Invariants
//!
//! - Nobody hears OK before what he was promised is on the disk. One delivery is one transaction.
//! - A store method is a whole transaction; nothing is open in the database while a client is written to.
//! - One process owns a data directory.
//! - UIDs, UIDVALIDITY, mailbox numbers and modification sequences are never given out twice, also across restore.
//! - No credentials before TLS; no relaying without an [`auth::Authenticated`] or a plan's redirection or reply.
//! - A script can't cost more than its limits, and what fails in it loses no mail: it goes to INBOX, and the failure is
//!   recorded.
//! - Every loop over outside data has a limit in [`types::limits`].
//! - `posthouse verify` checks the store's invariants; every test of the store ends with it.
//!
//! ## Absent on purpose
//!
//! - A queue for mail between addresses of ours: it is delivered in the transaction that accepts it.
//! - Sharing of bodies between deliveries: trace fields differ, so an index over hashes would cost and find nothing.
//! - `\Recent`: IMAP4rev2 dropped it, rev1 allows never to set it.
//! - Stored compiled scripts: compiling takes microseconds and is cached; a binary form would be one more format.

pub mod admin;
pub mod auth;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod directory;
pub mod dns;
pub mod filter;
pub mod imap;
pub mod mailbox;
pub mod managesieve;
pub mod message;
pub mod net;
pub mod policy;
pub mod queue;
pub mod rules;
pub mod server;
pub mod smtp;
pub mod store;
pub mod telemetry;
pub mod types;
