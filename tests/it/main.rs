//! The one binary of the integration tests.
