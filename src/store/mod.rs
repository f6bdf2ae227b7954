//! Layer 1: everything that is remembered.
