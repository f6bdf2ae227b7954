//! Layer 1: listeners, TLS, bounded reading, timeouts, caps, shutdown.
