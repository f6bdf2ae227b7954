//! Layer 1: tracing, session ids, redaction, metrics.
