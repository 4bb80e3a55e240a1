use crate::subscription::{Segment, Template};
use crate::testing::matches_glob;

/// Checks the parser and the matcher of templates.
///
/// The first line is the template. The rest is used twice: as the name of a channel, and line by
/// line as the values of the params.
///
/// # Panics
///
/// Panics if a template does not print as it was parsed, if its glob does not match a channel that
/// the template matches, or if the template does not capture what it renders.
pub fn template(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let (text, values) = text.split_once('\n').unwrap_or((text, ""));
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Template::parse(&template.to_string());
    assert_eq!(
        again.as_ref(),
        Ok(&template),
        "a template prints as it was parsed"
    );

    captured(&template, values);
    if let Some(channel) = rendered(&template, values.split('\n')) {
        let captured = captured(&template, &channel).expect("a template matches what it renders");
        let is_clear = |value: &str| !template.literals().any(|text| has_any_of(value, text));
        if values.split('\n').all(is_clear) {
            let values = values.split('\n').map(str::to_owned);
            assert!(
                captured
                    .into_iter()
                    .eq(values.take(template.params().count()))
            );
        }
    }
}

/// Returns the values that a template captures in a channel, after checking them; `None` if it does
/// not match the channel.
fn captured(template: &Template, channel: &str) -> Option<Vec<String>> {
    let is_match = template.capture(channel, []).is_some();
    let mut values = Vec::new();
    for name in template.params() {
        let captured = template.capture(channel, [name]);
        assert_eq!(captured.is_some(), is_match, "all params or none");
        values.extend(captured.map(|[value]| value.to_owned()));
    }
    if !is_match {
        return None;
    }
    let again = rendered(template, values.iter().map(String::as_str));
    assert_eq!(
        again.as_deref(),
        Some(channel),
        "the captured values render the channel"
    );
    assert!(
        matches_glob(template.glob().as_bytes(), channel.as_bytes()),
        "the glob matches what the template matches"
    );
    Some(values)
}

/// Renders a template. Returns `None` if a value is missing or not allowed for its param.
fn rendered<'v>(template: &Template, mut values: impl Iterator<Item = &'v str>) -> Option<String> {
    let mut channel = String::new();
    for segment in template.segments() {
        let value = match segment {
            Segment::Literal(text) => text,
            Segment::Param(_) => values
                .next()
                .filter(|value| !value.contains(['.', ':', '/']))?,
            Segment::Rest(_) => values.next()?,
        };
        if value.is_empty() {
            return None;
        }
        channel.push_str(value);
    }
    Some(channel)
}

fn has_any_of(value: &str, text: &str) -> bool {
    value.contains(|c| text.contains(c))
}

impl Template {
    fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments().iter().filter_map(|segment| match segment {
            Segment::Literal(text) => Some(&**text),
            Segment::Param(_) | Segment::Rest(_) => None,
        })
    }
}
