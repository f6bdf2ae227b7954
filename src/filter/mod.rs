//! Layer 2: Sieve: compile, run, actions with the line that caused them.
