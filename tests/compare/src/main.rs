//! `redis-push` beside other ways to do its job; README.md says how to run it.

fn main() -> std::process::ExitCode {
    compare::main(None)
}
