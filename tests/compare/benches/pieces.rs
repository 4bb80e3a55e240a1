//! Times the steps on the way of a push.
//!
//! ```sh
//! cargo bench -p compare --features bench --bench pieces
//! ```

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn pieces(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pieces");
    for piece in compare::pieces::all() {
        group.throughput(Throughput::Elements(piece.steps));
        let mut run = piece.start();
        group.bench_function(piece.name, |bencher| bencher.iter(&mut run));
    }
    group.finish();
}

criterion_group!(benches, pieces);
criterion_main!(benches);
