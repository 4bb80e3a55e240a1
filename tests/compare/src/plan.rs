//! The settings of each workload.

use crate::job::{Job, Source, Work, Workload};
use crate::options::Options;
use crate::payload::SMALL;
use crate::peers::Peer;

/// The settings of a workload. Every peer runs each of them; the peer in them is a placeholder.
pub(crate) fn settings(workload: Workload, options: &Options) -> Vec<Job> {
    let sources = match workload {
        // A stall depends on time, not on the source.
        Workload::W6 => vec![Source::Real],
        // The canned source does not publish between subscriptions.
        Workload::W8 | Workload::W9 => vec![Source::Real],
        _ => vec![Source::Canned, Source::Real],
    };
    let mut settings = Vec::new();
    for source in sources
        .into_iter()
        .filter(|source| options.has_source(*source))
    {
        for handlers in handlers(workload, options) {
            settings.push(Job {
                wire_wait: options.wire_wait,
                ..setting(workload, source, handlers, options.quick)
            });
            let plain = settings[settings.len() - 1].clone();
            if workload == Workload::W7 {
                settings.push(Job {
                    borrowed: true,
                    ..plain
                });
            } else if workload == Workload::W9 || workload == Workload::W2 && handlers > 1 {
                settings.push(Job {
                    shared: true,
                    ..plain.clone()
                });
                if workload == Workload::W2 {
                    settings.push(Job {
                        decodes: false,
                        // They take little time, and the first messages of a run count for more.
                        messages: 4 * plain.messages,
                        ..plain
                    });
                }
            }
        }
    }
    settings
}

fn handlers(workload: Workload, options: &Options) -> Vec<usize> {
    let own: &[usize] = match workload {
        Workload::W1 => &[1, 10, 100, 1_000],
        Workload::W2 => &[1, 8, 100],
        Workload::W3 => &[1],
        Workload::W4 => &[1_000],
        Workload::W5 => return vec![10],
        Workload::W6 => &[1, 10],
        Workload::W7 => &[1, 10],
        Workload::W8 => &[1_000],
        Workload::W9 => &[10_000],
    };
    let fixed = matches!(workload, Workload::W4 | Workload::W6) || workload.has_readers();
    if fixed || options.handlers.is_empty() {
        own.to_vec()
    } else {
        options.handlers.iter().map(|count| count.get()).collect()
    }
}

/// One setting of a workload, at its full or its quick size.
pub(crate) fn setting(workload: Workload, source: Source, handlers: usize, quick: bool) -> Job {
    let channels = match workload {
        Workload::W2 | Workload::W9 => 1,
        _ => handlers,
    };
    let (full, small) = match workload {
        Workload::W1 | Workload::W4 => (1_000_000, 100_000),
        Workload::W2 => {
            let full = (3_000_000 / handlers as u64).clamp(10, 1_000_000);
            (full, full / 10)
        }
        Workload::W3 => (3_000, 1_500),
        // The size is the point of these workloads.
        Workload::W5 => (100_000, 100_000),
        Workload::W6 => (15_000, 15_000),
        Workload::W7 => (5_000, 1_500),
        Workload::W8 => (3_000, 1_000),
        Workload::W9 => (300, 100),
    };
    let messages: u64 = if quick { small } else { full };
    Job {
        workload,
        source,
        peer: Peer::RedisPush,
        handlers,
        channels,
        messages: messages.next_multiple_of(channels as u64),
        rate: match workload {
            Workload::W3 => Some(1_000),
            Workload::W6 => Some(5_000),
            Workload::W9 => Some(100),
            _ => None,
        },
        payload: if workload == Workload::W7 {
            64 * 1024
        } else {
            SMALL
        },
        borrowed: false,
        shared: false,
        decodes: true,
        work: match workload {
            Workload::W3 | Workload::W9 => Work::Clock,
            Workload::W5 => Work::Busy,
            Workload::W6 => Work::Stall,
            _ => Work::Count,
        },
        wire_wait: None,
        own_buffers: matches!(workload, Workload::W5 | Workload::W6),
    }
}
