//! A figure and its target.

use serde_json::{Map, Number, Value, json};

use crate::subject::Subject;

/// One figure of a promise.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) promise: &'static str,
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) target: Target,
    pub(crate) unit: &'static str,
    detail: Map<String, Value>,
}

/// The target of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// No target: the figure is only reported.
    Reported,
    Exactly(f64),
    AtMost(f64),
}

impl Figure {
    /// Creates a figure without a target.
    pub(crate) fn new(promise: &'static str, what: impl Into<String>, figure: impl Count) -> Self {
        Self {
            promise,
            what: what.into(),
            figure: figure.into_f64(),
            target: Target::Reported,
            unit: "",
            detail: Map::new(),
        }
    }

    /// Sets the value that the figure must have.
    pub(crate) fn must_be(mut self, target: impl Count) -> Self {
        self.target = Target::Exactly(target.into_f64());
        self
    }

    /// Sets the largest value that the figure may have.
    pub(crate) fn at_most(mut self, target: impl Count) -> Self {
        self.target = Target::AtMost(target.into_f64());
        self
    }

    pub(crate) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Adds the entries of an object, such as `json!({..})`, to the detail.
    pub(crate) fn detail(mut self, detail: Value) -> Self {
        if let Value::Object(entries) = detail {
            self.detail.extend(entries);
        }
        self
    }

    pub(crate) fn holds(&self) -> bool {
        // Ratios such as 8/8 are exact in binary. Others are compared as printed.
        const PRINTED: f64 = 0.0005;
        match self.target {
            Target::Reported => self.figure.is_finite(),
            Target::Exactly(target) => (self.figure - target).abs() < PRINTED,
            Target::AtMost(target) => self.figure <= target + PRINTED,
        }
    }

    pub(crate) fn to_json(&self, subject: Subject) -> Value {
        let target = match self.target {
            Target::Reported => Value::Null,
            Target::Exactly(target) | Target::AtMost(target) => number(target),
        };
        let mut line = json!({
            "promise": self.promise,
            "link": subject.name(),
            "what": self.what,
            "figure": number(self.figure),
            "target": target,
            "holds": self.holds(),
            "detail": self.detail,
        });
        if !self.unit.is_empty() {
            line["unit"] = self.unit.into();
        }
        if subject.is_control() {
            line["control"] = true.into();
        }
        line
    }
}

/// A number type that a figure can be made from.
pub(crate) trait Count {
    fn into_f64(self) -> f64;
}

impl Count for f64 {
    fn into_f64(self) -> f64 {
        self
    }
}

impl Count for u64 {
    fn into_f64(self) -> f64 {
        self as f64
    }
}

impl Count for usize {
    fn into_f64(self) -> f64 {
        self as f64
    }
}

impl Count for i32 {
    fn into_f64(self) -> f64 {
        f64::from(self)
    }
}

/// A number as JSON: an integer where the value is whole, else with three decimals.
fn number(value: f64) -> Value {
    let rounded = (value * 1000.0).round() / 1000.0;
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        return Value::Number(Number::from(rounded as i64));
    }
    Number::from_f64(rounded).map_or(Value::Null, Value::Number)
}

/// A number as text for the table.
pub(crate) fn shown(value: f64) -> String {
    match value {
        value if value.fract() == 0.0 => format!("{value}"),
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}
