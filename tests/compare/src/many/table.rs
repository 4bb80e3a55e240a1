//! The results of W9 as a Markdown table.

use super::cell::Cell;
use crate::table::{Table, after, number, ratio};

pub(crate) fn table(cells: &[Cell]) -> String {
    let mut table = Table::new(&[
        "readers",
        "peer",
        "CPU µs/delivery",
        "CPU to seed",
        "last reader after ms",
        "lost",
        "highest msgs/s without lag",
        "k deliveries/s there",
        "to seed",
        "peak MiB",
    ]);
    for cell in cells {
        let shared = if cell.shared { ", shared" } else { "" };
        let mut row = vec![format!("{}{shared}", cell.readers), cell.peer.to_string()];
        if let Some(reason) = cell.not_run.as_ref().filter(|_| cell.rounds == 0) {
            row.push(format!("not run: {reason}"));
            table.row(row);
            continue;
        }
        let lost = cell.lost.unwrap_or(0);
        let reported = cell.reported_lost.unwrap_or(0);
        let low = cell.highest.iter().min().copied().unwrap_or(0);
        let high = cell.highest.iter().max().copied().unwrap_or(0);
        let thousands = cell
            .highest_median
            .map(|rate| rate * cell.readers as f64 / 1e3);
        row.extend([
            number(cell.cpu_us_per_delivery, 3),
            ratio(cell.cpu_to_seed),
            number(cell.last_took_ms, 1),
            if lost == 0 && reported == 0 {
                "0".to_owned()
            } else {
                format!("{lost}, reports {reported}")
            },
            format!("{} ({low}–{high})", number(cell.highest_median, 0)),
            number(thousands, 0),
            ratio(cell.highest_to_seed),
            number(cell.peak_mib, 0) + &after(cell.rounds, cell.not_run.as_ref()),
        ]);
        table.row(row);
    }
    table.finish()
}
