//! Layer 0: raw mail octets with a parsed view.
