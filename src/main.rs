//! The program: arguments to `cli`, and no logic.

fn main() {}
