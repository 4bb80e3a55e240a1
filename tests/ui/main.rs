//! What the compiler says of mistakes, one a file: read the `.stderr` files as a user would.

// The words around ours are the compiler's, and change with it.
#[rustversion::attr(not(stable(1.95)), ignore = "the messages are those of Rust 1.95")]
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("ui/mistakes/*.rs");
}
