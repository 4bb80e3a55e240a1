//! A process that holds another one on a leash: `holder wait|exit|panic|abort`.
//!
//! It prints the process id of its child, and ends when it receives a line.

use leash::Leashed;

fn main() {
    let how = std::env::args().nth(1).expect("how to end");
    // On a thread that ends, as the threads of tests do.
    let start = || Leashed::spawn("sleep", |sleep| sleep.arg("600"));
    let child = std::thread::spawn(start).join().expect("no panic");
    let child = child.expect("a shell");
    println!("{}", child.id());
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("a line");
    match &*how {
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "panic" => panic!("as a test does"),
        _ => drop(child),
    }
}
