//! Layer 0: switches to Sieve text and the proofs over the address graph.
