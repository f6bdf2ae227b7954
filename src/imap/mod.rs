//! Layer 3: IMAP.
