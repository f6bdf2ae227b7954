//! Layer 4: assembly.

mod signals;

pub use signals::{Reload, Signals, tell};
