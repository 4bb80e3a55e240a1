//! The output of the ticker: a board that is redrawn in place on a terminal, and plain lines
//! elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Screen {
    rows: BTreeMap<String, Row>,
    alerts: VecDeque<String>,
    quotes: u64,
    is_terminal: bool,
    drawn: Instant,
    lines: usize,
}

#[derive(Debug, Default)]
struct Row {
    bid: f64,
    ask: f64,
    average: f64,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            alerts: VecDeque::new(),
            quotes: 0,
            is_terminal: stdout().is_terminal(),
            drawn: Instant::now(),
            lines: 0,
        }
    }
}

impl Screen {
    pub(crate) fn quote(&mut self, symbol: &str, bid: f64, ask: f64) {
        self.quotes += 1;
        let row = self.rows.entry(symbol.to_owned()).or_default();
        (row.bid, row.ask) = (bid, ask);
        let pause = if self.is_terminal {
            Duration::from_millis(100)
        } else {
            Duration::from_secs(1)
        };
        if self.drawn.elapsed() >= pause {
            self.drawn = Instant::now();
            // Errors are ignored: the handlers keep counting after the pipe is closed.
            let _ = if self.is_terminal {
                self.draw()
            } else {
                self.summarize(symbol)
            };
        }
    }

    pub(crate) fn average(&mut self, symbol: &str, average: f64) {
        self.rows.entry(symbol.to_owned()).or_default().average = average;
    }

    pub(crate) fn alert(&mut self, symbol: &str, jump: f64) {
        let text = format!("{symbol} jumped by {jump:+.2} %");
        if !self.is_terminal {
            let _ = writeln!(stdout(), "alert: {text}");
        }
        self.alerts.push_front(text);
        self.alerts.truncate(3);
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let mut out = stdout().lock();
        if self.lines > 0 {
            write!(out, "\x1b[{}A", self.lines)?;
        }
        writeln!(
            out,
            "\x1b[K{:<8}{:>10}{:>10}{:>12}",
            "symbol", "bid", "ask", "average"
        )?;
        for (symbol, Row { bid, ask, average }) in &self.rows {
            writeln!(
                out,
                "\x1b[K{symbol:<8}{bid:>10.2}{ask:>10.2}{average:>12.2}"
            )?;
        }
        writeln!(out, "\x1b[K{} quotes", self.quotes)?;
        for line in 0..3 {
            let text = self.alerts.get(line).map_or("", String::as_str);
            writeln!(out, "\x1b[K{text}")?;
        }
        self.lines = self.rows.len() + 5;
        out.flush()
    }

    fn summarize(&self, symbol: &str) -> std::io::Result<()> {
        let Row { bid, ask, average } = &self.rows[symbol];
        writeln!(
            stdout(),
            "{} quotes; the last one {symbol} {bid:.2}/{ask:.2}, average {average:.2}",
            self.quotes
        )
    }
}
