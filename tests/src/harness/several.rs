//! Tests that run on several servers at once.

use super::{Suite, Test};
use crate::{Cluster, RealCluster, RealSentinels, ServerBinary};

impl Suite {
    /// Adds tests that run on a cluster of embedded brokers, and on one of each real server that is new
    /// enough.
    pub fn on_every_cluster(mut self, tests: Vec<Test<(Cluster,)>>) -> Self {
        self.wants_real = true;
        let mut binaries = self.real_servers();
        binaries.retain(|binary| binary.version() >= RealCluster::SINCE);
        for test in tests {
            let run = test.run.clone();
            self.add(&test, Some("embedded brokers"), async move || {
                run((Cluster::of_brokers().await,)).await;
            });
            self.takes_turns = true;
            for binary in binaries.clone() {
                let run = test.run.clone();
                let name = format!("cluster of {}", binary.name());
                self.add(&test, Some(&name), async move || {
                    run((Cluster::of(&binary).await,)).await;
                });
            }
            self.takes_turns = false;
        }
        self
    }

    /// Adds tests that run on a cluster of each real server that is new enough.
    pub fn on_real_clusters(mut self, tests: Vec<Test<(RealCluster,)>>) -> Self {
        self.wants_real = true;
        self.takes_turns = true;
        let (new, old): (Vec<_>, Vec<_>) = self
            .real_servers()
            .into_iter()
            .partition(|binary| binary.version() >= RealCluster::SINCE);
        for name in old.iter().map(ServerBinary::name) {
            eprintln!(
                "skipped: {} tests on a cluster of {name}: too old",
                tests.len()
            );
        }
        for test in tests {
            for binary in new.clone() {
                let run = test.run.clone();
                let name = format!("cluster of {}", binary.name());
                self.add(&test, Some(&name), async move || {
                    run((RealCluster::start(&binary).await,)).await;
                });
            }
        }
        self.takes_turns = false;
        self
    }

    /// Adds tests that run on sentinels with their servers, of each real server.
    pub fn on_real_sentinels(mut self, tests: Vec<Test<(RealSentinels,)>>) -> Self {
        self.wants_real = true;
        self.takes_turns = true;
        for test in tests {
            for binary in self.real_servers() {
                let run = test.run.clone();
                let name = format!("sentinels of {}", binary.name());
                self.add(&test, Some(&name), async move || {
                    run((RealSentinels::start(&binary).await,)).await;
                });
            }
        }
        self.takes_turns = false;
        self
    }
}
