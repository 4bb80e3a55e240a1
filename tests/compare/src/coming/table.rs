//! The results of W8 as a Markdown table.

use super::cell::Cell;
use super::second::Second;
use crate::table::{Table, after, number, ratio};

pub(crate) fn table(cells: &[Cell]) -> String {
    let mut table = Table::new(&[
        "peer",
        "subscribed p50 µs",
        "first message p50 µs",
        "p99 µs",
        "p50 to seed",
        "CPU µs/reader",
        "CPU to seed",
        "missed the first",
        "names left",
        "a second reader of a name",
        "peak MiB",
    ]);
    for cell in cells {
        let mut row = vec![cell.peer.to_string()];
        if let Some(reason) = cell.not_run.as_ref().filter(|_| cell.rounds == 0) {
            row.push(format!("not run: {reason}"));
            table.row(row);
            continue;
        }
        row.extend([
            number(cell.subscribed_p50_us, 0),
            number(cell.first_p50_us, 0),
            number(cell.first_p99_us, 0),
            ratio(cell.first_to_seed),
            number(cell.cpu_us, 0),
            ratio(cell.cpu_to_seed),
            format!(
                "{} of {}",
                cell.missed.unwrap_or(0),
                cell.readers.unwrap_or(0)
            ),
            cell.left.unwrap_or(0).to_string(),
            cell.second.map_or("–", second).to_owned(),
            number(cell.peak_mib, 0) + &after(cell.rounds, cell.not_run.as_ref()),
        ]);
        table.row(row);
    }
    table.finish()
}

fn second(second: Second) -> &'static str {
    match second {
        Second::Counted => "served; may leave",
        Second::DeafensTheFirst => "served; if it leaves, the first is deaf",
        Second::Refused => "refused",
        Second::RefusedAndDeafensTheFirst => "refused, and the first is deaf",
        Second::NotServed => "not served",
    }
}
