//! Throughput and loss against the number of handlers, as SVG.

use std::fmt::Write;

use crate::cell::Cell;
use crate::job::{Source, Workload};
use crate::peers::Peer;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// The corners of the area for lines. The legend is to the right of it.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;
const GRID_LINES: u32 = 5;

/// The value of a cell that a plot shows.
struct Measure {
    name: &'static str,
    title: &'static str,
    of: fn(&Cell) -> Option<f64>,
}

const MEASURES: [Measure; 2] = [
    Measure {
        name: "throughput",
        title: "million messages a second",
        of: |cell| cell.msgs_per_s.map(|rate| rate / 1e6),
    },
    Measure {
        name: "lost",
        title: "% lost in the worst round",
        of: |cell| {
            cell.lost
                .map(|lost| 100.0 * lost as f64 / cell.deliveries as f64)
        },
    },
];

/// The drawings of a workload with their file names. There are none if the number of handlers does
/// not vary.
pub(crate) fn plots(workload: Workload, cells: &[Cell]) -> Vec<(String, String)> {
    let mut plots = Vec::new();
    for (source, source_name) in [(Source::Canned, "canned"), (Source::Real, "real")] {
        let cells: Vec<&Cell> = cells
            .iter()
            .filter(|cell| cell.source == source && !cell.borrowed && !cell.shared && cell.decodes)
            .collect();
        let mut counts: Vec<usize> = cells.iter().map(|cell| cell.handlers).collect();
        counts.sort_unstable();
        counts.dedup();
        if counts.len() < 2 {
            continue;
        }
        for measure in &MEASURES {
            let name = format!("{workload:?}-{source_name}-{}.svg", measure.name);
            let title = format!("{workload:?}, {source_name} source: {}", measure.title);
            plots.push((
                name.to_lowercase(),
                draw(&title, &counts, &cells, measure.of),
            ));
        }
    }
    plots
}

fn draw(title: &str, counts: &[usize], cells: &[&Cell], of: fn(&Cell) -> Option<f64>) -> String {
    let highest = cells.iter().filter_map(|cell| of(cell)).fold(0.0, f64::max);
    let scale = round_up(highest);
    let x = |handlers: usize| {
        let place = counts
            .iter()
            .position(|count| *count == handlers)
            .unwrap_or(0);
        LEFT + (RIGHT - LEFT) * (place as f64 + 0.5) / counts.len() as f64
    };
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / scale;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, LEFT, 28.0, "start", title);
    for line in 0..=GRID_LINES {
        let value = scale * f64::from(line) / f64::from(GRID_LINES);
        let at = y(value);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"
        );
        text(&mut svg, LEFT - 8.0, at + 4.0, "end", &label(value));
    }
    for &count in counts {
        text(
            &mut svg,
            x(count),
            BOTTOM + 20.0,
            "middle",
            &count.to_string(),
        );
    }
    text(
        &mut svg,
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 40.0,
        "middle",
        "handlers",
    );
    let mut legend = TOP + 10.0;
    for (peer, color) in COLORS {
        let own = cells.iter().filter(|cell| cell.peer == peer);
        let points: Vec<(f64, f64)> = own
            .filter_map(|cell| Some((x(cell.handlers), y(of(cell)?))))
            .collect();
        if points.is_empty() {
            continue;
        }
        let width = if matches!(peer, Peer::RedisPush | Peer::RedisPushWire) {
            3
        } else {
            1
        };
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{color}\"/>"
            );
        }
        let _ = writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"{width}\" fill=\"{color}\"/>",
            RIGHT + 14.0,
            legend - 5.0
        );
        text(&mut svg, RIGHT + 34.0, legend, "start", &peer.to_string());
        legend += 22.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Colors that are distinguishable with color blindness.
const COLORS: [(Peer, &str); 8] = [
    (Peer::RedisPush, "#d55e00"),
    (Peer::RedisPushWire, "#cc79a7"),
    (Peer::Seed, "#000000"),
    (Peer::Floor, "#999999"),
    (Peer::Limit, "#f0e442"),
    (Peer::Fred, "#56b4e9"),
    (Peer::Rustis, "#009e73"),
    (Peer::Ruststream, "#0072b2"),
];

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#333\">{text}</text>"
    );
}

/// The end of a scale for a value: 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(0.01).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(10.0 * power)
}

fn label(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
