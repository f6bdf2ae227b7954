//! Layer 2: address to what it is.
