//! Layer 2: accepted message to plan to one commit.
