//! Counts instructions without decoding: of a delivery when many handlers share a channel, and of
//! the pieces on the way of a push.

use serde::Serialize;

use crate::callgrind::Callgrind;
use crate::job::{Job, Source, Workload};
use crate::options::Options;
use crate::peers::Peer;
use crate::run::Runner;
use crate::{pieces, plan};

/// The numbers of handlers of one channel.
const FAN_OUTS: [usize; 3] = [1, 8, 100];

pub(crate) struct Costs {
    pub(crate) fan_out: Vec<FanOut>,
    pub(crate) pieces: Vec<Piece>,
}

/// A delivery of W2 without decoding.
#[derive(Debug, Serialize)]
pub(crate) struct FanOut {
    workload: Workload,
    pub(crate) peer: Peer,
    pub(crate) handlers: usize,
    pub(crate) instructions: Option<f64>,
    pub(crate) to_seed: Option<f64>,
    pub(crate) not_run: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Piece {
    pub(crate) piece: &'static str,
    /// The unit that the instructions are counted for.
    pub(crate) step: &'static str,
    pub(crate) instructions: Option<f64>,
}

impl Costs {
    pub(crate) fn measure(options: &Options, runner: &Runner) -> Self {
        let callgrind = Callgrind::new(runner, &options.out);
        let mut fan_out = Vec::new();
        for handlers in FAN_OUTS {
            let job = plan::setting(Workload::W2, Source::Canned, handlers, options.quick);
            let mut costs: Vec<FanOut> = options
                .peers()
                .into_iter()
                .map(|peer| {
                    eprintln!("instructions, {handlers} handlers: {peer}");
                    let job = Job {
                        peer,
                        decodes: false,
                        ..job.clone()
                    };
                    FanOut::new(&job, &callgrind)
                })
                .collect();
            let seed = costs.iter().find(|cost| cost.peer == Peer::Seed);
            let seed = seed.and_then(|seed| seed.instructions);
            for cost in &mut costs {
                cost.to_seed = cost.instructions.zip(seed).map(|(own, seed)| own / seed);
            }
            fan_out.append(&mut costs);
        }
        let pieces = pieces::all().into_iter().map(|piece| {
            eprintln!("instructions: {}", piece.name);
            Piece {
                piece: piece.name,
                step: piece.step,
                instructions: callgrind
                    .piece(&piece)
                    .inspect_err(|error| eprintln!("{}: {error}", piece.name))
                    .ok(),
            }
        });
        Self {
            fan_out,
            pieces: pieces.collect(),
        }
    }

    /// A line of JSON for each cost.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let fan_out = self.fan_out.iter().map(serde_json::to_string);
        let pieces = self.pieces.iter().map(serde_json::to_string);
        let lines = fan_out.chain(pieces);
        lines.map(|line| line.expect("a cost is plain data"))
    }
}

impl FanOut {
    fn new(job: &Job, callgrind: &Callgrind<'_>) -> Self {
        let counted = match job.peer.refuses(job) {
            Some(reason) => Err(format!("not run: {reason}").into()),
            None => callgrind.delivering(job),
        };
        let (instructions, not_run) = match counted {
            Ok(instructions) => (Some(instructions), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            workload: Workload::W4,
            peer: job.peer,
            handlers: job.handlers,
            instructions,
            to_seed: None,
            not_run,
        }
    }
}
