//! Compares `redis-push` with other clients. README.md says how to run it.

fn main() -> std::process::ExitCode {
    compare::main(None)
}
