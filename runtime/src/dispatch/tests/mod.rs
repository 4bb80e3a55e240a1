//! Tests of the dispatcher. With `--cfg shuttle`, `model` runs it under a model checker.

#[cfg(not(shuttle))]
mod concerned;
#[cfg(not(shuttle))]
mod connection;
#[cfg(not(shuttle))]
mod gathering;
#[cfg(not(shuttle))]
mod leaving;
#[cfg(not(shuttle))]
mod losses;
#[cfg(shuttle)]
mod model;
#[cfg(shuttle)]
mod model_cluster;
#[cfg(shuttle)]
mod model_servers;
#[cfg(not(shuttle))]
mod mounting;
#[cfg(shuttle)]
mod names_model;
#[cfg(not(shuttle))]
mod nodes;
#[cfg(shuttle)]
mod nodes_model;
#[cfg(not(shuttle))]
mod spread;
#[cfg(shuttle)]
mod spread_model;
#[cfg(not(shuttle))]
mod wakeups;
