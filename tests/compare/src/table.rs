//! The results as Markdown tables.

use crate::cell::{Account, Cell, Ratio};
use crate::instructions::Costs;
use crate::job::{Source, Workload};
use crate::weight::Weight;

pub(crate) fn heading(workload: Workload) -> &'static str {
    match workload {
        Workload::W1 => "W1 spread: as many channels as handlers, round robin",
        Workload::W2 => "W2 fan-out: one channel for all handlers; counted are deliveries",
        Workload::W3 => "W3 latency: 1,000 messages a second, from publishing to the handler",
        Workload::W4 => "W4 weight",
        Workload::W5 => "W5 burst: 100,000 messages at line rate, 5 µs each, own buffer sizes",
        Workload::W6 => {
            "W6 stall: 5,000 messages a second, a handler sleeps for a second, own buffer sizes"
        }
        Workload::W7 => "W7 large: payloads of 64 KiB",
        Workload::W8 => "W8 coming and going: one reader after the other, with 1,000 names live",
        Workload::W9 => {
            "W9 many readers: one channel, 10,000 readers, 100 messages a second, and then as many as \
             they can follow"
        }
    }
}

pub(crate) fn cells(workload: Workload, cells: &[Cell]) -> String {
    let latency = workload == Workload::W3;
    let columns: &[&str] = if latency {
        &[
            "source",
            "handlers",
            "peer",
            "p50 µs",
            "p99 µs",
            "max µs",
            "p50 to floor",
            "CPU µs/msg",
            "lost",
        ]
    } else {
        &[
            "source",
            "handlers",
            "peer",
            "k msgs/s",
            "rate to floor",
            "rate to seed",
            "CPU µs/msg",
            "CPU to floor",
            "CPU to seed",
            "lost",
            "peak MiB",
        ]
    };
    let mut table = Table::new(columns);
    for cell in cells {
        let mut row = vec![
            source(cell.source).to_owned(),
            handlers(cell),
            cell.peer.to_string(),
        ];
        if let Some(reason) = cell.not_run.as_ref().filter(|_| cell.rounds == 0) {
            row.push(format!("not run: {reason}"));
        } else if latency {
            row.extend([
                number(cell.p50_us, 0),
                number(cell.p99_us, 0),
                number(cell.max_us, 0),
            ]);
            row.extend([
                ratio(cell.p50_to_floor),
                number(cell.cpu_us_per_msg, 2),
                lost(cell),
            ]);
        } else {
            let thousands = cell.msgs_per_s.map(|rate| rate / 1e3);
            let digits = thousands.map_or(0, |rate| if rate < 100.0 { 2 } else { 0 });
            row.push(number(thousands, digits));
            row.extend([ratio(cell.rate_to_floor), ratio(cell.rate_to_seed)]);
            row.push(number(cell.cpu_us_per_msg, 2));
            row.extend([ratio(cell.cpu_to_floor), ratio(cell.cpu_to_seed)]);
            row.extend([lost(cell), number(cell.peak_mib, 0)]);
        }
        table.row(row);
    }
    table.0
}

pub(crate) fn weights(weights: &[Weight]) -> String {
    let mut table = Table::new(&[
        "peer",
        "idle handlers",
        "bytes/handler",
        "allocations/delivery",
        "of which decoding",
        "instructions/delivery",
        "of which decoding",
        "",
    ]);
    for weight in weights {
        table.row(vec![
            weight.peer.to_string(),
            weight.handlers.to_string(),
            number(weight.bytes_per_handler, 0),
            number(weight.allocations_per_delivery, 3),
            number(Some(weight.allocations_decoding), 0),
            number(weight.instructions_per_delivery, 0),
            number(weight.instructions_decoding, 0),
            weight.not_run.join("; "),
        ]);
    }
    table.0
}

pub(crate) fn costs(costs: &Costs) -> String {
    let mut fan_out = Table::new(&[
        "handlers of one channel",
        "peer",
        "instructions/delivery without decoding",
        "to seed",
        "",
    ]);
    for cost in &costs.fan_out {
        fan_out.row(vec![
            cost.handlers.to_string(),
            cost.peer.to_string(),
            number(cost.instructions, 0),
            number(cost.to_seed, 2),
            cost.not_run.clone().unwrap_or_default(),
        ]);
    }
    let mut pieces = Table::new(&["piece", "instructions", "for each"]);
    for cost in &costs.pieces {
        pieces.row(vec![
            cost.piece.to_owned(),
            number(cost.instructions, 0),
            cost.step.to_owned(),
        ]);
    }
    format!("{}\n{}", fan_out.0, pieces.0)
}

/// Why there are fewer rounds than requested.
pub(crate) fn after(rounds: usize, reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| {
        format!("; after {rounds} rounds: {reason}")
    })
}

pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let line = "| --- ".repeat(columns.len());
        Self(format!("| {} |\n{line}|\n", columns.join(" | ")))
    }

    pub(crate) fn row(&mut self, fields: Vec<String>) {
        self.0.push_str(&format!("| {} |\n", fields.join(" | ")));
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Real => "real",
        Source::Canned => "canned",
    }
}

fn handlers(cell: &Cell) -> String {
    let borrowed = if cell.borrowed { ", borrowed" } else { "" };
    let shared = if cell.shared { ", shared" } else { "" };
    let undecoded = if cell.decodes { "" } else { ", undecoded" };
    format!("{}{borrowed}{shared}{undecoded}", cell.handlers)
}

pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

pub(crate) fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(
        || "–".to_owned(),
        |Ratio { median, low, high }| format!("{median:.2} ({low:.2}–{high:.2})"),
    )
}

fn lost(cell: &Cell) -> String {
    let lost = cell.lost.unwrap_or(0);
    let part = 100.0 * lost as f64 / cell.deliveries as f64;
    let reported = cell.reported_lost.unwrap_or(0);
    let mut text = match cell.account {
        None | Some(Account::Complete) => "0".to_owned(),
        Some(Account::Duplicated) => "some came twice".to_owned(),
        Some(Account::Exact) => format!("{lost} ({part:.1} %), reported exactly"),
        Some(Account::Inexact) => format!("{lost} ({part:.1} %), reports {reported}"),
        Some(Account::Silent) => format!("{lost} ({part:.1} %), not reported"),
    };
    if let Some(reason) = &cell.not_run {
        text.push_str(&format!("; after {} rounds: {reason}", cell.rounds));
    }
    text
}
