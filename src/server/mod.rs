//! Layer 4: assembly.
