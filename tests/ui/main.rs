//! Compile messages: each file in `mistakes` contains a mistake, and its `.stderr` file contains
//! the expected output. Read the `.stderr` files as a user would.

// The text around our messages is that of the compiler, and changes with its version.
#[rustversion::attr(not(stable(1.95)), ignore = "the messages are those of Rust 1.95")]
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("mistakes/*.rs");
}
