//! Layer 2: what is due, to where, when again.
