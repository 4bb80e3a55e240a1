//! What layers allocate.

use redis_push::__bench::Way;
use redis_push::{Delivery, Fault, Handler, Next, Outcome, Push, Spec, Subscription};

use crate::{WARM_UP, run};

async fn passes(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    next.run(delivery).await
}

/// A handler behind this many layers.
struct Behind(u64);

impl Handler<()> for Behind {
    fn spec(&self) -> Spec {
        let spec = Spec::new("behind").on(Subscription::channel("quotes"));
        (0..self.0).fold(spec, |spec, _| spec.around(passes))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        std::hint::black_box(push.payload());
        Ok(())
    }
}

pub(crate) fn each_layer_costs_one_allocation_and_the_handler_behind_them_another() {
    const BURST: u64 = 10;
    const ROUNDS: u64 = 100;
    for layers in 0..=3 {
        let mut way = Way::new([Behind(layers)]);
        run(&mut way, BURST, WARM_UP);
        let before = way.handled();
        let allocations = run(&mut way, BURST, ROUNDS);
        assert_eq!(way.handled() - before, BURST * ROUNDS);
        let each = match layers {
            0 => 0,
            _ => layers + 1,
        };
        assert_eq!(allocations, each * BURST * ROUNDS, "{layers} layers");
    }
}
