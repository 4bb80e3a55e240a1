//! Prints figures as they are recorded, and the table at the end.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::figure::{Figure, Target, shown};
use crate::subject::Subject;

/// Collects the figures of all runs. Clones share them.
#[derive(Clone)]
pub(crate) struct Report {
    wanted: Arc<[&'static str]>,
    prints_lines: bool,
    figures: Arc<Mutex<Vec<(Subject, Figure)>>>,
}

impl Report {
    pub(crate) fn new(wanted: &[&'static str], prints_lines: bool) -> Self {
        Self {
            wanted: wanted.into(),
            prints_lines,
            figures: Arc::default(),
        }
    }

    /// Adds a figure, if its promise was selected.
    pub(crate) fn add(&self, subject: Subject, figure: Figure) {
        if !self.wanted.contains(&figure.promise) {
            return;
        }
        if self.prints_lines {
            println!("{}", figure.to_json(subject));
        }
        if !figure.holds() && !subject.is_control() {
            let Figure { promise, what, .. } = &figure;
            eprintln!("{promise} does not hold on {}: {what}", subject.name());
        }
        self.figures().push((subject, figure));
    }

    /// How many figures of the library miss their targets, and how many figures there are.
    pub(crate) fn failures(&self) -> (usize, usize) {
        let figures = self.figures();
        let library = || figures.iter().filter(|(subject, _)| !subject.is_control());
        (
            library().filter(|(_, figure)| !figure.holds()).count(),
            library().count(),
        )
    }

    /// A Markdown table with a line for each figure and a column for each subject.
    pub(crate) fn table(&self) -> String {
        let figures = self.figures();
        let is_there = |subject: &Subject| figures.iter().any(|(of, _)| of == subject);
        let subjects: Vec<_> = [Subject::Manager, Subject::Wire]
            .into_iter()
            .chain(Subject::CONTROLS.iter().copied())
            .filter(is_there)
            .collect();
        let mut table = String::from("| | figure | target |");
        for subject in &subjects {
            let _ = write!(table, " {} |", subject.name());
        }
        table.push_str("\n| --- | --- | --- |");
        table.push_str(&" --- |".repeat(subjects.len()));
        table.push('\n');
        let mut lines: Vec<&Figure> = Vec::new();
        for (_, figure) in figures.iter() {
            if !lines.iter().any(|line| is_same(line, figure)) {
                lines.push(figure);
            }
        }
        lines.sort_by_key(|line| number_of(line.promise));
        for line in lines {
            let _ = write!(
                table,
                "| {} | {} | {} |",
                line.promise,
                line.what,
                target(line)
            );
            for subject in &subjects {
                let cell = figures
                    .iter()
                    .find(|(of, figure)| of == subject && is_same(figure, line));
                let _ = write!(
                    table,
                    " {} |",
                    cell.map_or_else(String::new, |(_, f)| cell_of(f))
                );
            }
            table.push('\n');
        }
        table
    }

    fn figures(&self) -> MutexGuard<'_, Vec<(Subject, Figure)>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(a: &Figure, b: &Figure) -> bool {
    a.promise == b.promise && a.what == b.what
}

fn number_of(promise: &str) -> u32 {
    promise[1..].parse().unwrap_or(u32::MAX)
}

fn target(figure: &Figure) -> String {
    match figure.target {
        Target::Reported => "reported".to_owned(),
        Target::Exactly(target) => with_unit(target, figure.unit),
        Target::AtMost(target) => format!("≤ {}", with_unit(target, figure.unit)),
    }
}

fn cell_of(figure: &Figure) -> String {
    let text = with_unit(figure.figure, figure.unit);
    if figure.holds() {
        text
    } else {
        format!("**{text}**")
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "" => shown(value),
        "%" => format!("{} %", shown(value)),
        unit => format!("{} {unit}", shown(value)),
    }
}
