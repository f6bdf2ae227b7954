//! Layer 3: ManageSieve.
