//! Layer 3: SMTP, submission and LMTP.
