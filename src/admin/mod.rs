//! Layer 2: one function per administrator act.
