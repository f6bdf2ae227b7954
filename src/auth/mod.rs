//! Layer 2: credentials to Authenticated, its only maker.
