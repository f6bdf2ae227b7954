//! Layer 1: file to checked Config.
