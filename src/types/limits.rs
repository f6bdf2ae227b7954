//! Every named limit, in one file. Those an administrator may want to change are defaults of `[limits]` in the
//! configuration; the others are fixed by an RFC or by the shape of our data.

/// RFC 5321 section 4.5.3.1.1.
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// RFC 5321 section 4.5.3.1.2 allows 255, of which DNS can use 253.
pub const DOMAIN_NAME_OCTETS_MAX: usize = 253;
/// RFC 3461 section 4.2 and section 4.4: ORCPT and ENVID as written.
pub const ORCPT_OCTETS_MAX: usize = 500;
pub const ENVID_OCTETS_MAX: usize = 100;
/// The name in EHLO; RFC 5321 section 4.5.3.1.2.
pub const CLIENT_NAME_OCTETS_MAX: usize = 255;
/// RFC 5321 section 4.5.3.1.5, line end included.
pub const REPLY_LINE_OCTETS_MAX: usize = 512;
/// Lines of a reply we write: a text somebody gave for a refusal may be long.
pub const REPLY_LINES_WRITTEN_MAX: usize = 32;
/// Lines and octets of a reply we read.
pub const REPLY_LINES_MAX: usize = 128;
pub const REPLY_READ_OCTETS_MAX: usize = 64 * 1024;
/// Octets of an SMTP command line; RFC 5321 section 4.5.3.1.4 has 512, to which the parameters of all extensions add.
pub const SMTP_LINE_OCTETS_MAX: usize = 4096;
/// Octets of a line of a login; RFC 4954 section 4.
pub const SMTP_AUTH_LINE_OCTETS_MAX: usize = 12_288;
/// Recipients of one message as it arrives; RFC 5321 section 4.5.3.1.8 wants 100 at least.
pub const SMTP_RECIPIENTS_MAX: usize = 1000;
/// Refused commands, refused recipients, failed logins in one session, before it ends.
pub const SMTP_ERRORS_MAX: u32 = 20;
pub const SMTP_RECIPIENTS_REFUSED_MAX: u32 = 100;
pub const SMTP_LOGIN_FAILURES_MAX: u32 = 3;
/// Commands since the last message that was begun.
pub const SMTP_COMMANDS_IDLE_MAX: u32 = 100;
/// Mailboxes that From and Sender of a submitted message may name: each is looked up.
pub const SUBMISSION_AUTHORS_MAX: usize = 20;
/// Octets of a refused message that are read past so that its sender hears the answer; beyond, the session ends.
pub const SMTP_DISCARDED_OCTETS_MAX: u64 = 128 * 1024 * 1024;
/// Octets of an arriving message that are held in memory; the rest goes to a file, in pieces.
pub const SPOOL_MEMORY_OCTETS: usize = 64 * 1024;
pub const SPOOL_PIECE_OCTETS: usize = 32 * 1024;
/// Seconds a submitted message may be held (RFC 4865 section 4), and the least time in which one can be asked to be
/// delivered (RFC 2852 section 2).
pub const HOLD_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;
pub const DELIVER_BY_SECONDS_MIN: u32 = 60;
/// Pieces of arriving messages that are written to files at one time.
pub const SPOOL_WRITERS: usize = 4;
/// Octets of a mailbox name in UTF-8; modified UTF-7 at its worst still fits a line.
pub const MAILBOX_NAME_OCTETS_MAX: usize = 1024;
/// Levels of a mailbox name.
pub const MAILBOX_DEPTH_MAX: usize = 20;
/// Levels of MIME structure that are read; what lies deeper is opaque. Deeper nesting exists only in attacks.
pub const MIME_DEPTH_MAX: usize = 50;
/// Parts of one message that get a structure of their own; the rest is opaque text of the last multipart.
pub const MIME_PARTS_MAX: usize = 10_000;
/// Octets of a MIME boundary. RFC 2046 section 5.1.1 allows 70; some mailers need more.
pub const BOUNDARY_OCTETS_MAX: usize = 256;
/// Octets of a line of a message, without its line end (RFC 5322 section 2.1.1).
pub const MESSAGE_LINE_OCTETS_MAX: usize = 998;
/// Octets of one header field that are looked into; the rest of it is stored, sent on and otherwise ignored.
pub const FIELD_OCTETS_READ_MAX: usize = 1024 * 1024;
/// Octets of one header section that Sieve scripts see.
pub const SCRIPT_HEADER_OCTETS_MAX: usize = 1024 * 1024;
/// Parameters of one Content-Type or Content-Disposition.
pub const MIME_PARAMETERS_MAX: usize = 200;
/// Addresses of one message's ENVELOPE field.
pub const ENVELOPE_ADDRESSES_MAX: usize = 10_000;
/// Octets of a ready-made ENVELOPE, and of a BODYSTRUCTURE, after which everything optional is NIL.
pub const ENVELOPE_OCTETS_MAX: usize = 256 * 1024;
pub const BODYSTRUCTURE_OCTETS_MAX: usize = 1024 * 1024;
/// Message identifiers that are taken out of one References field; the first and the newest are the ones that thread.
pub const REFERENCES_MAX: usize = 200;
/// Octets of decoded text of one message that SEARCH looks through, and encoded octets out of which they are taken: both
/// are whole in memory while a message is analysed.
pub const SEARCH_TEXT_OCTETS_MAX: usize = 8 * 1024 * 1024;
pub const SEARCH_SOURCE_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// Characters of a preview: RFC 8970 section 3.2 advises 200 and forbids more than 256.
pub const PREVIEW_CHARACTERS_MAX: usize = 200;
/// A message's octets, and what SIZE, APPENDLIMIT and LMTP announce. Must stay below 4 GiB: sizes are 32 bits in pages.
pub const MESSAGE_OCTETS_MAX: u64 = 50 * 1024 * 1024;
/// A piece of a stored body: what one read holds in memory.
pub const BODY_CHUNK_OCTETS: usize = 256 * 1024;
/// Jobs and octets of one group commit.
pub const COMMIT_JOBS_MAX: usize = 64;
pub const COMMIT_OCTETS_MAX: usize = 8 * 1024 * 1024;
/// How long at most a commit waits for those who shared the last one.
pub const COMMIT_WAIT_MICROSECONDS: u64 = 100;
/// Jobs that may wait for the writer before callers have to.
pub const WRITER_QUEUE_MAX: usize = 1024;
/// Threads that read the store.
pub const READERS: usize = 4;
/// Threads that read what mailboxes hold into memory.
pub const MAILBOX_READERS: usize = 4;
/// Mailboxes of some thousand messages and more that these read at a time.
pub const LARGE_MAILBOXES_READ_MAX: usize = 2;
/// Targets of one redirection; also the fan-out one message may have through local redirections.
pub const REDIRECTION_TARGETS_MAX: usize = 100;
/// Addresses one message may pass through on its way to a mailbox.
pub const ADDRESS_HOPS_MAX: usize = 20;
/// Recipients one incoming message may reach after all expansion.
pub const EXPANDED_RECIPIENTS_MAX: usize = 1000;
/// Octets of a personal script, and of an administrator's.
pub const SCRIPT_OCTETS_MAX: usize = 64 * 1024;
/// Blocks within blocks, and tests within tests. RFC 5228 section 2.10.5 asks for 15 of each at least.
pub const SIEVE_BLOCK_DEPTH_MAX: usize = 32;
pub const SIEVE_TEST_DEPTH_MAX: usize = 32;
/// RFC 5229 section 6 asks for 128 variables of 4,000 octets, and for match variables up to `${9}`.
pub const SIEVE_VARIABLES_MAX: usize = 128;
pub const SIEVE_VARIABLE_OCTETS_MAX: usize = 16 * 1024;
pub const SIEVE_MATCH_VARIABLES_MAX: usize = 32;
/// References to variables in one command: with the size of a variable it bounds what one string can grow to.
pub const SIEVE_REFERENCES_MAX: usize = 64;
/// Strings in all tests of one command.
pub const SIEVE_STRINGS_PER_COMMAND_MAX: usize = 8192;
/// Regular expressions of one script, octets of each, and how often each may repeat a part.
pub const SIEVE_PATTERNS_MAX: usize = 64;
pub const SIEVE_PATTERN_OCTETS_MAX: usize = 1024;
pub const SIEVE_PATTERN_REPETITIONS_MAX: u64 = 1000;
/// Steps of the engine for one message, and octets of text its tests look through.
pub const SIEVE_INSTRUCTIONS_MAX: usize = 100_000;
pub const SIEVE_WORK_OCTETS_MAX: u64 = 128 * 1024 * 1024;
/// Time one run may take; looked at between the commands of a script.
pub const SIEVE_RUN_MILLISECONDS_MAX: u64 = 1000;
pub const SIEVE_ACTIONS_MAX: usize = SIEVE_REDIRECTS_MAX + 100;
/// Scripts one run may include, and how deep.
pub const SIEVE_INCLUDES_MAX: usize = 64;
pub const SIEVE_INCLUDE_DEPTH_MAX: usize = 10;
/// Changes to a message in one run.
pub const SIEVE_EDITS_MAX: usize = 100;
/// Octets of a header field that a script adds.
pub const SIEVE_ADDED_HEADER_OCTETS_MAX: usize = 2048;
/// Compiled scripts that are remembered.
pub const SIEVE_CACHE_SCRIPTS_MAX: usize = 4096;
/// Seconds a `duplicate` test may remember, and what it does when it doesn't say (RFC 7352 section 3.1).
pub const SIEVE_DUPLICATE_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
pub const SIEVE_DUPLICATE_SECONDS_DEFAULT: u64 = 7 * 24 * 60 * 60;
/// Recipients of one notification.
pub const SIEVE_NOTIFY_RECIPIENTS_MAX: usize = 10;
/// Octets of the script that an address's switches make: a responder's text and all targets of a redirection fit.
pub const COMPILED_SCRIPT_OCTETS_MAX: usize = 256 * 1024;
/// Octets of a pattern with wildcards.
pub const SIEVE_GLOB_OCTETS_MAX: usize = 512;
/// Octets of a pattern that are paid for like one reading of the text it is looked for in.
pub const SIEVE_PATTERN_OCTETS_PER_READING: usize = 4;
/// Lines of a script that a run says it has reached.
pub const SIEVE_TRACE_MAX: usize = 1000;
/// Looking for rules that can never match: steps of thought for one script, values times keys of one test that are told
/// apart, and findings told.
pub const SIEVE_REACH_STEPS_MAX: u64 = 2_000_000;
pub const SIEVE_REACH_PAIRS_MAX: usize = 512;
pub const SIEVE_REACH_WARNINGS_MAX: usize = 50;
/// Changed lines up to which the shortest way from one version of a script to another is looked for.
pub const DIFFERENCE_LINES_MAX: usize = 1000;
/// Different faults that are remembered of one version of a script, and characters of what each says.
pub const SCRIPT_FAULTS_PER_VERSION_MAX: i64 = 50;
pub const SCRIPT_FAULT_CHARACTERS_MAX: usize = 300;
/// Faults that are told at one time.
pub const SCRIPT_FAULTS_TOLD_MAX: u32 = 1000;
/// How long a fault that has not happened again is remembered.
pub const SCRIPT_FAULT_KEEP_DAYS: i64 = 30;
/// Between two mails that tell an owner what is wrong with his scripts.
pub const SCRIPT_NOTICE_PAUSE_SECONDS: i64 = 24 * 60 * 60;
/// Scripts one account, one domain or the server may keep.
pub const SCRIPTS_PER_OWNER_MAX: usize = 100;
/// Versions of a script that are kept; the oldest go first.
pub const SCRIPT_VERSIONS_MAX: usize = 200;
/// Octets of a responder's text.
pub const RESPONDER_TEXT_OCTETS_MAX: usize = 32 * 1024;
/// The most that `[limits] message_octets_max` may say: sizes are 32 bits in pages.
pub const MESSAGE_OCTETS_CEILING: u64 = 0xF000_0000;
/// Octets of a configuration file.
pub const CONFIG_OCTETS_MAX: u64 = 1024 * 1024;
/// DNS answers remembered at a time.
pub const DNS_CACHE_ENTRIES_MAX: u64 = 8192;
/// Descriptors that are kept for our own files, sockets and connections to other servers.
pub const DESCRIPTORS_RESERVED: u64 = 512;
/// Connections in all, and from one network (an IPv4 address, or 64 bits of an IPv6 address).
pub const CONNECTIONS_MAX: usize = 16_384;
pub const CONNECTIONS_PER_NETWORK_MAX: usize = 100;
/// Silence after which an SMTP session ends (RFC 5321 section 4.5.3.2.7 asks for 5 minutes at least).
pub const SMTP_IDLE_SECONDS: u64 = 300;
/// Silence after which an IMAP session ends (RFC 9051 section 5.4 asks for 30 minutes at least).
pub const IMAP_IDLE_SECONDS: u64 = 1860;
/// Silence after which a ManageSieve session ends (RFC 5804 section 1.2 asks for 30 minutes at least).
pub const MANAGESIEVE_IDLE_SECONDS: u64 = 1860;
/// The same before login.
pub const IMAP_BEFORE_LOGIN_SECONDS: u64 = 180;
/// How long a TLS handshake may take.
pub const TLS_HANDSHAKE_SECONDS: u64 = 30;
/// How long a peer may leave what we write unread.
pub const WRITE_SECONDS: u64 = 60;
/// Below this a peer that is sending or taking a message holds a session for nothing.
pub const TRANSFER_OCTETS_PER_SECOND_MIN: u64 = 128;
/// How long sessions may take to end when the server stops.
pub const SHUTDOWN_SECONDS: u64 = 20;
/// Octets of a responder's subject: what fits a header line after encoding.
pub const RESPONDER_SUBJECT_OCTETS_MAX: usize = 500;
/// Times `${` may stand in a responder's subject and text: each is written with a variable, and the variables of one
/// command are counted.
pub const RESPONDER_PLACEHOLDERS_MAX: usize = 50;
/// Seconds between two answers to one sender. RFC 5230 section 4.1 lets the server set the bounds; less than a day would
/// turn an answer into a nuisance, and more than a year is for ever.
pub const RESPONDER_EVERY_SECONDS_MIN: u32 = 24 * 60 * 60;
pub const RESPONDER_EVERY_SECONDS_DEFAULT: u32 = 7 * 24 * 60 * 60;
pub const RESPONDER_EVERY_SECONDS_MAX: u32 = 366 * 24 * 60 * 60;
/// Received headers at which a script stops answering and redirecting: the message is going in circles. Well under what
/// the MX refuses, so that a mailbox still gets it (RFC 5321 section 6.3 asks for at least 100 there).
pub const RECEIVED_HEADERS_OUTWARD_MAX: usize = 50;
/// Octets of one IMAP command line up to its CRLF or literal. A set of 10,000 UIDs takes 54 KB.
pub const IMAP_LINE_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a literal that is kept with its command; a longer one is a message and goes elsewhere as it comes.
pub const IMAP_LITERAL_KEPT_OCTETS_MAX: usize = 64 * 1024;
/// Octets of one IMAP command with the literals kept with it.
pub const IMAP_COMMAND_OCTETS_MAX: usize = 1024 * 1024;
/// The same three before login, when nobody has shown to be worth more memory. A SASL token must fit.
pub const IMAP_BEFORE_LOGIN_OCTETS_MAX: usize = 16 * 1024;
/// Octets of a refused line or literal that are read past so that the session can go on; beyond, it ends.
pub const IMAP_DISCARDED_OCTETS_MAX: u64 = 128 * 1024 * 1024;
/// Capacity an IMAP connection's buffers may keep while nothing is in them.
pub const IMAP_IDLE_BUFFER_OCTETS: usize = 4 * 1024;
/// Levels of NOT and parentheses in SEARCH. A run of ORs is one level, however long.
pub const IMAP_SEARCH_DEPTH_MAX: usize = 100;
/// Keys of one SEARCH.
pub const IMAP_SEARCH_KEYS_MAX: usize = 2000;
/// Elements of any list in an IMAP command: flags, items, patterns, entries, parts of a CATENATE.
pub const IMAP_LIST_ELEMENTS_MAX: usize = 1000;
/// Messages of one MULTIAPPEND, which is one transaction.
pub const IMAP_APPEND_MESSAGES_MAX: usize = 500;
/// Messages of a FETCH whose entries are copied at a time: some 70 octets each.
pub const FETCH_BLOCK_MESSAGES: usize = 8192;
/// Seconds between two signs of life to a client that waits: less than the patience of what may stand between.
pub const IMAP_KEEPALIVE_SECONDS: u64 = 240;
/// Seconds after which a command counts as one that takes long: from then on a SEARCH looks whether its client is there.
pub const IMAP_PATIENCE_SECONDS: u64 = 1;
/// Seconds between two notes of progress to a client whose command takes long (RFC 9585 section 4).
pub const IMAP_PROGRESS_SECONDS: u64 = 10;
/// Commands refused in a row, before a session ends.
pub const IMAP_ERRORS_MAX: u32 = 30;
/// Octets of a password; longer ones only cost time.
pub const PASSWORD_OCTETS_MAX: usize = 1024;
/// Password hashes computed at once: each takes 19 MiB and a core.
pub const PASSWORD_HASHES_CONCURRENT: usize = 2;
/// Logins that may wait for a password hash before more are turned away.
pub const PASSWORD_HASHES_WAITING_MAX: usize = 512;
/// PBKDF2 rounds of new SCRAM keys: what RFC 7677 section 4 recommends.
pub const SCRAM_ITERATIONS_DEFAULT: u32 = 15_000;
/// Octets of one decoded SASL message; the largest honest one is a password with its names.
pub const SASL_MESSAGE_OCTETS_MAX: usize = 4096;
/// Octets of a SCRAM nonce of the client's.
pub const SCRAM_NONCE_OCTETS_MAX: usize = 512;
/// PBKDF2 rounds another server may ask of us when we log in there: less than a tenth of a second.
pub const SCRAM_ITERATIONS_ACCEPTED_MAX: u32 = 1_000_000;
/// App passwords of one account.
pub const APP_PASSWORDS_PER_ACCOUNT_MAX: usize = 50;
/// Characters of an app password's label.
pub const APP_PASSWORD_LABEL_CHARACTERS_MAX: usize = 64;
/// Passwords whose dear check is remembered, right and wrong ones each; and for how long.
pub const VERIFIED_LOGINS_MAX: usize = 20_000;
pub const VERIFIED_LOGIN_SECONDS: i64 = 12 * 60 * 60;
pub const WRONG_LOGIN_SECONDS: i64 = 10 * 60;
/// Wrong passwords before an account, and a network, has to wait. A network is often a family or an office.
pub const LOGIN_FAILURES_FREE_PER_ACCOUNT: u32 = 6;
pub const LOGIN_FAILURES_FREE_PER_NETWORK: u32 = 20;
/// The longest wait, reached by doubling one second: then it is a lock-out.
pub const LOGIN_WAIT_SECONDS_MAX: i64 = 15 * 60;
/// Failures are forgotten after this long without another one.
pub const LOGIN_FAILURES_SECONDS: i64 = 60 * 60;
/// Names and networks whose failures are counted; the least recent are forgotten first.
pub const LOGIN_FAILURES_COUNTED_MAX: usize = 50_000;
/// Pairs of account and network that have logged in, which an attack on the account from elsewhere does not lock out.
pub const LOGIN_NETWORKS_KNOWN_MAX: usize = 50_000;
/// Seconds between two notes of when an app password was last used: a write per login would cost more than the login.
pub const APP_PASSWORD_USED_NOTE_SECONDS: i64 = 60 * 60;
/// Octets of input one connection may hold before its session has taken any.
pub const INPUT_OCTETS_MAX: usize = 64 * 1024;
/// What an idle connection keeps of that.
pub const INPUT_OCTETS_IDLE: usize = 1024;
/// What is read at a time, at least, of a message or another transfer.
pub const INPUT_OCTETS_TRANSFER_MIN: usize = 16 * 1024;
/// Output at which a session should stop composing and let it be written.
pub const OUTPUT_OCTETS_HIGH_WATER: usize = 64 * 1024;
/// Octets of an over-long line that are read over before the connection ends.
pub const LINE_OCTETS_SKIPPED_MAX: usize = 1024 * 1024;
/// What a closing connection still reads, so that its last reply is not lost in a reset.
pub const LINGER_OCTETS_MAX: usize = 256 * 1024;
pub const LINGER_SECONDS: u64 = 2;
/// Octets of a PROXY protocol header of version 1 (its specification's section 2.1), and of version 2 with its additions.
pub const PROXY_LINE_OCTETS_MAX: usize = 107;
pub const PROXY_BINARY_OCTETS_MAX: usize = 2048;
pub const PROXY_HEADER_SECONDS: u64 = 5;
/// Connections the machine holds for us until we take them.
pub const LISTEN_BACKLOG: i32 = 1024;
/// Records of one DNS answer that are looked at.
pub const DNS_RECORDS_MAX: usize = 100;
/// Aliases a name may have one behind the other.
pub const DNS_ALIASES_MAX: usize = 8;
/// How long DNS servers that pass no signatures on are believed to stay that way.
pub const DNS_VALIDATION_RECHECK_SECONDS: u64 = 3600;
/// Steps up a thread that are made to rule out a loop before one message is hung below another. What would need more
/// starts a thread of its own.
pub const THREAD_STEPS_MAX: usize = 1000;
/// Octets of a message that are analysed at once on the thread that received it; larger ones go to a thread of their own.
pub const INDEX_INLINE_OCTETS: usize = 32 * 1024;
/// Quoted-printable text without anything but blanks and halves of escapes that is kept until it is known what it means.
pub const DECODER_KEPT_OCTETS_MAX: usize = 1024 * 1024;
/// Redirections of one run: those of a full redirection switch, the copy of a responder, and as many again for the scripts
/// that run beside them. All targets of a saved redirection are always served.
pub const SIEVE_REDIRECTS_MAX: usize = 2 * REDIRECTION_TARGETS_MAX;
/// People a script's list of correspondents holds, the latest.
pub const CORRESPONDENTS_MAX: u32 = 1000;
/// Marks of earlier passages that are read off one message.
pub const LOOP_MARKS_MAX: usize = 100;
/// Compiled scripts, and accounts' lists of mailboxes, that are kept at hand between deliveries.
pub const SHELF_SCRIPTS_MAX: usize = SIEVE_CACHE_SCRIPTS_MAX;
pub const SHELF_ACCOUNTS_MAX: usize = 4096;
/// Octets of messages that may be in memory for delivery at one time, over all sessions.
pub const DELIVERY_MEMORY_OCTETS: u64 = 64 * 1024 * 1024;
/// Seconds for which it counts that an account had plenty of room, and accounts of which it is remembered.
pub const ROOM_REMEMBERED_SECONDS: i64 = 5;
pub const ROOMS_REMEMBERED_MAX: usize = 65_536;
/// A message larger than this is stored ahead of the transaction that files it.
pub const BODY_AHEAD_OCTETS: usize = 1024 * 1024;
/// Octets of one request on the control socket: the largest message, in base64, with room.
/// Octets of one request on the control socket: the largest message in base64, with room. Only the server's own user and
/// root can ask.
pub const CONTROL_REQUEST_OCTETS_MAX: usize = 80 * 1024 * 1024;
/// Octets of one answer: a list of a hundred thousand accounts fits.
pub const CONTROL_ANSWER_OCTETS_MAX: usize = 512 * 1024 * 1024;
/// Connections to the control socket at a time.
pub const CONTROL_CONNECTIONS_MAX: usize = 64;
/// How long a connection to the control socket may be silent.
pub const CONTROL_IDLE_SECONDS: u64 = 60;
/// Days for which decisions are remembered; `trace` finds nothing older.
pub const LEDGER_KEEP_DAYS: i64 = 90;
/// Time that SPF, DKIM and DMARC of one message may take in all, and what of it is left for DMARC, which comes last.
pub const AUTHENTICATION_SECONDS_MAX: u64 = 10;
pub const AUTHENTICATION_DMARC_SECONDS: u64 = 3;
/// What is left of it, in all, once DNS was silent for that many messages in a row.
pub const AUTHENTICATION_SECONDS_SILENT: u64 = 1;
pub const AUTHENTICATION_SILENCES_MAX: u32 = 3;
/// Octets of the header section that signatures are looked for and verified in.
pub const AUTHENTICATION_HEADER_OCTETS_MAX: usize = 1024 * 1024;
/// Fields of that header; a signature's list of fields is matched against all of them.
pub const AUTHENTICATION_FIELDS_MAX: usize = 4000;
/// DKIM signatures of one message that are verified (RFC 6376 section 6.1 leaves the number to the verifier), octets of
/// each, and names in its list of fields.
pub const DKIM_SIGNATURES_MAX: usize = 10;
pub const DKIM_SIGNATURE_OCTETS_MAX: usize = 16 * 1024;
pub const DKIM_SIGNED_FIELDS_MAX: usize = 256;
/// Domains of From whose DMARC policy is asked for (RFC 9989 section 11.5).
pub const DMARC_AUTHOR_DOMAINS_MAX: usize = 4;
/// How long a server may take to accept a connection, to greet, to answer a command, to permit a message, to take a piece
/// of it, and to answer for it (RFC 5321 section 4.5.3.2 has these as the least; for connecting it names none).
pub const SMTP_CLIENT_CONNECT_SECONDS: u64 = 30;
pub const SMTP_CLIENT_GREETING_SECONDS: u64 = 300;
pub const SMTP_CLIENT_COMMAND_SECONDS: u64 = 300;
pub const SMTP_CLIENT_DATA_START_SECONDS: u64 = 120;
pub const SMTP_CLIENT_DATA_BLOCK_SECONDS: u64 = 180;
pub const SMTP_CLIENT_DATA_END_SECONDS: u64 = 600;
/// How long we listen for a reason after a server has broken off in the middle of a message.
pub const SMTP_CLIENT_LAST_WORDS_SECONDS: u64 = 2;
/// Octets of a line of a server's reply; RFC 5321 section 4.5.3.1.5 has 512, which not every server keeps to.
pub const SMTP_CLIENT_LINE_OCTETS_MAX: usize = 4096;
/// Messages up to this size travel with their envelope, in one round trip, where a server takes chunks.
pub const SMTP_CLIENT_INLINE_OCTETS_MAX: u64 = 64 * 1024;
/// Octets of a message's header. No real one is near it, and whoever judges a message has its header in memory.
pub const MESSAGE_HEADER_OCTETS_MAX: usize = 1024 * 1024;
/// How long a send is tried (RFC 5321 section 4.5.4.1 asks for four to five days).
pub const SEND_LIFETIME_SECONDS: i64 = 5 * 24 * 60 * 60;
/// Received fields a message may arrive with (RFC 5321 section 6.3 wants 100 at least), and those of them that are ours: a
/// message may come back from lists and old addresses some times, not for ever.
pub const RECEIVED_FIELDS_MAX: usize = 100;
pub const RECEIVED_FIELDS_OURS_MAX: usize = 6;
/// Senders to one destination that are looked at for one turn before the order of time decides.
pub const QUEUE_ORIGINS_PER_TURN_MAX: u32 = 256;
/// DNS block lists that are asked, the time all of them may take, and what is shown of a list's own words.
pub const BLOCK_LISTS_MAX: usize = 16;
pub const BLOCK_LIST_SECONDS_MAX: u64 = 5;
pub const BLOCK_LIST_TEXT_CHARACTERS_MAX: usize = 200;
/// What one account may submit in an hour.
pub const SUBMISSION_MESSAGES_PER_HOUR: u32 = 2000;
pub const SUBMISSION_RECIPIENTS_PER_HOUR: u32 = 10_000;
/// What one network may do at the MX.
pub const NETWORK_CONNECTIONS_PER_MINUTE: u32 = 3000;
pub const NETWORK_MESSAGES_PER_MINUTE: u32 = 6000;
/// Recipients that do not exist, from one network, and how long the answer to one may be held back.
pub const UNKNOWN_RECIPIENTS_PER_HOUR: u32 = 200;
pub const TARPIT_SECONDS_MAX: u64 = 10;
/// Accounts and networks whose rates are remembered: twice as many at most.
pub const RATE_ENTRIES_MAX: usize = 20_000;
/// Messages whose flags and numbers are held in memory, of all open mailboxes: some 70 octets each.
pub const OPEN_MESSAGES_MAX: usize = 2_000_000;
/// A mailbox of more messages is read after SELECT was answered.
pub const READ_BEFORE_SELECT_MAX: u32 = 2048;
/// Mailboxes that are read at a time before anybody needs their messages.
pub const READ_AHEAD_MAX: usize = 2;
/// Mailboxes that stay in memory after the last session left them.
pub const OPEN_MAILBOXES_UNUSED_MAX: usize = 4096;
/// So many times at most something is opened before unused mailboxes are counted again.
pub const MAKE_ROOM_TURNS: usize = 64;
/// Expunges of an open mailbox that are remembered in memory; for older ones the store is asked.
pub const EXPUNGES_REMEMBERED_MAX: usize = 256;
/// Events of an account that wait for a session that does not listen; beyond, it is told to look at everything.
pub const ACCOUNT_FEED_EVENTS: usize = 128;
/// Entries of one mailbox's access control list.
pub const ACL_ENTRIES_MAX: i64 = 500;
/// Annotations of one mailbox, or of one account's own; and octets of a value (RFC 5464 section 4.3 TOOMANY, MAXSIZE).
pub const ANNOTATIONS_MAX: i64 = 200;
pub const ANNOTATION_OCTETS_MAX: usize = 64 * 1024;
/// Messages whose bodies one transaction of a copy counts; also what one transaction moves.
pub const COPY_PIECE_MAX: usize = 2048;
/// Messages whose flags one transaction changes: some milliseconds.
pub const FLAGS_PIECE_MAX: usize = 20_480;
/// Octets of a buffer of FETCH replies, and messages that are read into one at most.
pub const FETCH_BUFFER_OCTETS: usize = 128 * 1024;
pub const FETCH_JOB_MESSAGES: usize = 256;
/// Buffers that are filled while one is on its way to the client.
pub const FETCH_JOBS_AHEAD: usize = 2;
/// Octets of a header section out of which HEADER.FIELDS chooses.
pub const HEADER_OCTETS_READ_MAX: u64 = 8 * 1024 * 1024;
/// Names of a client's address that are tried, and the time for it.
pub const CLIENT_NAMES_TRIED_MAX: usize = 3;
pub const CLIENT_NAME_SECONDS_MAX: u64 = 3;
/// Days a return path of redirected mail holds: longer than anybody tries to deliver.
pub const RETURN_PATH_DAYS: i64 = 21;
/// The pause after the first attempt to deliver a send, doubled with each one up to the longest.
pub const QUEUE_PAUSE_SECONDS_FIRST: u32 = 5 * 60;
pub const QUEUE_PAUSE_SECONDS_MAX: u32 = 4 * 60 * 60;
/// After so long without success a sender hears of the delay, once.
pub const QUEUE_WARN_SECONDS: i64 = 4 * 60 * 60;
/// Connections to other servers, in all and to one destination.
pub const QUEUE_CONNECTIONS_MAX: usize = 200;
pub const QUEUE_CONNECTIONS_PER_DESTINATION_MAX: usize = 20;
/// Recipients of one transaction; RFC 5321 section 4.5.3.1.8 has servers take so many.
pub const QUEUE_RECIPIENTS_MAX: u32 = 100;
/// Refusals in a row after which a redirection's target is paused.
pub const QUEUE_REFUSALS_BEFORE_PAUSE: u32 = 10;
/// Messages a worker takes at a time: few, so that another can take the next.
pub const QUEUE_MESSAGES_PER_TURN: u32 = 8;
/// Messages after which a worker lets another destination have its place, if one waits.
pub const QUEUE_MESSAGES_PER_PLACE: u32 = 100;
/// Destinations that are known to be due; further ones stay in the store until there is room.
pub const QUEUE_READY_MAX: usize = 4096;
/// Sends put off in one write.
pub const QUEUE_PUT_OFF_MAX: u32 = 500;
/// Recipients over whom a server may hang up before the rest of the message waits, too.
pub const QUEUE_HANG_UPS_AT_RCPT_MAX: u32 = 3;
/// How long a connection waits for another message, and how many it carries.
pub const QUEUE_IDLE_SECONDS: u64 = 5;
pub const QUEUE_MESSAGES_PER_CONNECTION_MAX: u32 = 1000;
/// Idle connections.
pub const QUEUE_IDLE_CONNECTIONS_MAX: usize = 100;
/// Mail exchangers of a domain that are looked at, addresses of each, and addresses tried in one attempt.
pub const MX_HOSTS_MAX: usize = 20;
pub const MX_ADDRESSES_PER_HOST_MAX: usize = 6;
pub const MX_ADDRESSES_TRIED_MAX: usize = 10;
/// How long an administrator waits for what the other server of a split domain says.
pub const NEIGHBOUR_SECONDS: u64 = 10;
/// Octets of a bounce that comes back for the author of redirected mail; it is whole in memory for a moment.
pub const RETURN_OCTETS_MAX: usize = 10 * 1024 * 1024;
/// Octets of a message that are returned with a report about it; of a larger one only the header is.
pub const REPORT_RETURNED_OCTETS_MAX: usize = 64 * 1024;
/// Octets of messages that are whole in memory at a time, to be converted for servers that need it.
pub const QUEUE_CONVERSIONS_CONCURRENT: usize = 2;
/// Octets of a domain's policy about its mail servers (RFC 8461 section 3.2 leaves the bound to us), and servers in it.
pub const POLICY_OCTETS_MAX: usize = 64 * 1024;
pub const POLICY_SERVERS_MAX: usize = 200;
/// The longest time one is remembered: about a year (RFC 8461 section 3.2).
pub const POLICY_AGE_SECONDS_MAX: i64 = 31_557_600;
/// How long nobody asks again for one that could not be fetched, how many such domains are remembered, and how long a
/// fetch may take (RFC 8461 section 3.3).
pub const POLICY_RETRY_SECONDS: i64 = 300;
pub const POLICY_FETCHES_FAILED_MAX: usize = 1000;
pub const POLICY_FETCH_SECONDS: u64 = 60;
/// Lines of an HTTP answer's header, and octets of one.
pub const HTTP_HEADER_LINES_MAX: usize = 100;
pub const HTTP_LINE_OCTETS_MAX: usize = 8 * 1024;
/// Connections to a destination that has not shown yet that it takes more.
pub const QUEUE_CONNECTIONS_FIRST: usize = 5;
/// How long a relay that many destinations share is left alone after it did not let us in.
pub const QUEUE_RELAY_DOWN_SECONDS: i64 = 60;
/// How long the queue waits after the store has failed it, and at most before it looks whether something is due.
pub const QUEUE_TROUBLE_SECONDS: i64 = 10;
pub const QUEUE_LOOK_SECONDS_MAX: u64 = 300;
/// Messages whose sketches, and whose texts, one reading of a search looks at.
pub const SEARCH_JOB_MESSAGES: usize = 4096;
pub const SEARCH_TEXT_JOB_MESSAGES: usize = 512;
/// With a thousand keys it is fewer, and never fewer than this.
pub const SEARCH_JOB_MESSAGES_MIN: usize = 8;
/// Messages whose facts one reading for a sort looks at.
pub const FACTS_JOB_MESSAGES: usize = 2048;
/// Listings of more messages than that which are sorted or threaded at a time.
pub const GATHERINGS_MAX: usize = 2;
/// Search results of one session that are kept up to date (RFC 5267 section 4.3.1).
pub const IMAP_CONTEXTS_MAX: usize = 16;
/// Mailboxes one session may be told of by NOTIFY, and events that are told at a time.
pub const IMAP_NOTIFY_MAILBOXES_MAX: usize = 5000;
pub const IMAP_NOTIFY_EVENTS_MAX: usize = 1000;
/// Of new messages, shown unasked at a time: some buffers more at most.
pub const IMAP_SHOWN_OCTETS_MAX: usize = 1024 * 1024;
/// Messages times keys that a search looks at in memory without asking for a thread of its own.
pub const SEARCH_INLINE_STEPS: usize = 50_000;
/// Octets of the header fields that are kept beside a message's signature; longer ones are searched in its text.
pub const SKETCH_FIELDS_OCTETS_MAX: usize = 2048;
/// Domains whose DKIM keys are kept at hand.
pub const SIGNING_DOMAINS_MAX: usize = 10_000;
/// A key signs for this long before it is time for new ones; these are used at the earliest so long after they were made,
/// which is when even slow secondary servers have the record; and those they follow stay in DNS for so long, since mail
/// may be verified late.
pub const DKIM_KEY_DAYS: i64 = 365;
pub const DKIM_NEXT_KEY_DAYS: i64 = 1;
pub const DKIM_RETIRED_KEY_DAYS: i64 = 30;
/// Messages whose threads are worked out in one piece, and identifiers of others that are looked at in each.
pub const THREADS_PIECE_MAX: usize = 1024;
pub const THREAD_REFERENCES_MAX: usize = 100;
/// Octets of a line of a ManageSieve command: any SASL message fits (RFC 5804 section 4 has 1,024 for a quoted string).
pub const MANAGESIEVE_LINE_OCTETS_MAX: usize = 8192;
/// What a literal costs besides its octets, so that empty ones are not for nothing.
pub const MANAGESIEVE_PART_OCTETS: usize = 64;
/// Octets of refused scripts that are read past so that the session can go on; beyond, it ends.
pub const MANAGESIEVE_DISCARDED_OCTETS_MAX: u64 = 16 * 1024 * 1024;
/// Words of one ManageSieve command.
pub const MANAGESIEVE_ARGUMENTS_MAX: usize = 8;
/// Commands refused in a row, and failed logins, before a ManageSieve session ends.
pub const MANAGESIEVE_ERRORS_MAX: u32 = 30;
pub const MANAGESIEVE_LOGIN_FAILURES_MAX: u32 = 3;
/// Silence before login after which a ManageSieve session ends.
pub const MANAGESIEVE_BEFORE_LOGIN_SECONDS: u64 = 180;
/// Octets of a script's name (RFC 5804 section 1.6 asks for 512 at least, which are 128 characters).
pub const SCRIPT_NAME_OCTETS_MAX: usize = 512;
/// Addresses of one person whose scripts are listed with his own, he may have any number of aliases.
pub const SHOWN_ADDRESSES_MAX: usize = 100;
/// Days before a certificate ends in which `check` asks after the next one.
pub const CERTIFICATE_WARNING_DAYS: u64 = 10;
/// Domains whose MX records `check` and `status` look at, and the time for all of them.
pub const MX_CHECK_DOMAINS_MAX: usize = 200;
pub const MX_CHECK_SECONDS_MAX: u64 = 2;
/// Octets of one string of a TXT record (RFC 1035 section 3.3).
pub const DNS_STRING_OCTETS_MAX: usize = 255;
/// How long all questions of `posthouse dns` may take, and what is shown of one answer.
pub const DNS_SHOW_SECONDS: u64 = 20;
pub const DNS_SHOWN_CHARACTERS_MAX: usize = 600;
/// Messages `posthouse trace` tells of, events it looks at to find them, and events of one message it tells.
pub const TRACE_MESSAGES_MAX: usize = 1000;
pub const TRACE_EVENTS_MAX: usize = 20_000;
pub const TRACE_EVENTS_PER_MESSAGE_MAX: usize = 500;
/// Events that are looked through for what a bounce is about.
pub const RETURN_EVENTS_MAX: usize = 200;
/// Messages one IMAP command works on (RFC 9738): more than any mailbox ought to hold, so that clients that know nothing of
/// the limit never meet it.
pub const IMAP_COMMAND_MESSAGES_MAX: u32 = 1_000_000;
/// Mailboxes of which is remembered whether a script runs when something happens in them.
pub const SHELF_EVENT_SCRIPTS_MAX: usize = 65_536;
/// What an import or an export carries at a time.
pub const CARRIED_OCTETS_MAX: u64 = 4 * 1024 * 1024;
pub const CARRIED_MESSAGES_MAX: usize = 500;
/// Characters of a person's name, which stands in the header of what is answered for him.
pub const PERSON_NAME_CHARACTERS_MAX: usize = 128;
