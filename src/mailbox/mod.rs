//! Layer 2: the protocols' only way to mail.
