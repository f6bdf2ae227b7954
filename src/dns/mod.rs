//! Layer 1: the Resolver trait, system and fake.
