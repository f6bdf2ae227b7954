//! Layer 2: facts of one stage to an outcome.
