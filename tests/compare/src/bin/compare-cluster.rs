//! Lets clients go through what happens to the nodes of a cluster, and measures what a message costs over one
//! and three primaries. README.md says how to run it.

fn main() -> std::process::ExitCode {
    compare::cluster::main()
}
