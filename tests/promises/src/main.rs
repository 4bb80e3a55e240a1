//! Tests every promise of the guide under faults: see the library.

fn main() -> std::process::ExitCode {
    promises::main()
}
