//! The program: arguments to `cli`, its answer to the system.

fn main() -> std::process::ExitCode {
    posthouse::cli::main()
}
