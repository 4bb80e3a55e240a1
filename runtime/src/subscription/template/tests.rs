use super::*;

fn capture<'c, const N: usize>(
    template: &str,
    channel: &'c str,
    names: [&str; N],
) -> Option<[&'c str; N]> {
    Template::parse(template).unwrap().capture(channel, names)
}

#[test]
fn params_are_the_text_between_the_literals() {
    let both = ["venue", "symbol"];
    let found = capture("quotes.{symbol}@{venue}.eu", "quotes.ACME@XETR.eu", both);
    assert_eq!(found, Some(["XETR", "ACME"]));
    assert_eq!(capture("{a}-{b}", "x-y-z", ["a", "b"]), Some(["x", "y-z"]));
    assert_eq!(capture("{a}-end", "x-end-end", ["a"]), Some(["x-end"]));
    assert_eq!(capture("{a}--{b}", "---x", ["a", "b"]), Some(["-", "x"]));
    assert_eq!(capture("{a}--{b}", "---", ["a", "b"]), None);
    assert_eq!(capture("ö{a}ü{b}", "öéüß", ["a", "b"]), Some(["é", "ß"]));
}

#[test]
fn params_stop_at_separators_and_the_rest_does_not() {
    assert_eq!(capture("quotes.{symbol}", "quotes.a.b", ["symbol"]), None);
    assert_eq!(capture("quotes.{symbol}", "quotes.", ["symbol"]), None);
    assert_eq!(
        capture("quotes.{path*}", "quotes.a:b/c", ["path"]),
        Some(["a:b/c"])
    );
    assert_eq!(capture("quotes.{path*}", "quotes.", ["path"]), None);
    assert_eq!(capture("a.{x}.b", "a.1.c.b", ["x"]), None);
}

/// The text of each param of the first split of a channel that the grammar allows, found by trying all of
/// them.
fn split<'c>(segments: &[Segment], channel: &'c str) -> Option<Vec<&'c str>> {
    let Some((first, next)) = segments.split_first() else {
        return channel.is_empty().then(Vec::new);
    };
    if let Segment::Literal(text) = first {
        return split(next, channel.strip_prefix(&**text)?);
    }
    let ends = channel.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.map(|end| channel.split_at(end))
        .find_map(|(text, rest)| {
            let may_be = matches!(first, Segment::Rest(_)) || !text.contains(SEPARATORS);
            let mut texts = may_be.then(|| split(next, rest)).flatten()?;
            texts.insert(0, text);
            Some(texts)
        })
}

#[test]
fn a_channel_is_split_as_if_all_splits_were_tried() {
    let templates = [
        "{x}",
        "{x*}",
        "-{x}",
        "{x}-",
        "{x}--",
        "{x}.{y}",
        "{x}-{y}",
        "{x}--{y}",
        "{x}-{y}-",
        "{x}é{y}",
        "-{x}.-{y*}",
        "{x}.{y}-{z}",
        "{x}-.{y*}",
    ];
    let mut channels = vec![String::new()];
    let mut last = 0..1;
    for _ in 0..5 {
        let longer = channels[last.clone()].iter();
        let longer: Vec<_> = longer
            .flat_map(|text| ["a", "-", ".", "é"].map(|c| format!("{text}{c}")))
            .collect();
        last = channels.len()..channels.len() + longer.len();
        channels.extend(longer);
    }
    for text in templates {
        let template = Template::parse(text).unwrap();
        for channel in &channels {
            let expected = split(&template.segments, channel);
            assert_eq!(
                template.matches(channel.as_bytes()),
                expected.is_some(),
                "{text} {channel}"
            );
            let params = template.params().enumerate();
            for (index, name) in params {
                let captured = template.capture(channel, [name]);
                let expected = expected.as_ref().map(|texts| [texts[index]]);
                assert_eq!(captured, expected, "{text} {channel}");
            }
        }
    }
}

#[test]
fn a_name_that_is_not_utf8_matches_no_template() {
    let matches = |text, channel: &[u8]| Template::parse(text).unwrap().matches(channel);
    assert!(matches("a.{x}", "a.é".as_bytes()));
    assert!(!matches("a.{x}", b"a.\xff"));
    assert!(!matches("a.{x*}", b"a.\xc3"));
    assert!(!matches("{x}.{y}", b"\xc3.\xa9"));
}

#[test]
fn the_glob_escapes_characters_that_are_special_to_the_server() {
    let glob = |text| Template::parse(text).unwrap().glob();
    assert_eq!(glob("quotes.{symbol}.{venue*}"), "quotes.*.*");
    assert_eq!(glob(r"a*b?[c]\{x}"), r"a\*b\?\[c\]\\*");
    assert_eq!(glob("{{tag}}.{x}"), "{tag}.*");
}

#[test]
fn a_prefix_is_literal_text() {
    let prefixed = |text| Template::parse(text).unwrap().prefixed("{a}*:");
    let template = prefixed("quotes.{symbol}");
    assert_eq!(template.to_string(), "{{a}}*:quotes.{symbol}");
    assert_eq!(template.glob(), r"{a}\*:quotes.*");
    assert_eq!(
        template.capture("{a}*:quotes.ACME", ["symbol"]),
        Some(["ACME"])
    );
    assert_eq!(template.capture("quotes.ACME", ["symbol"]), None);
    let template = prefixed("{symbol}.x");
    assert_eq!(template, Template::parse("{{a}}*:{symbol}.x").unwrap());
}

#[test]
fn a_template_prints_as_it_was_written() {
    for text in ["quotes.{symbol}", "{{tag}}:{a}/{b*}", "plain"] {
        assert_eq!(Template::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn mistakes_are_named() {
    let problem = |text| Template::parse(text).unwrap_err().to_string();
    assert!(problem("").contains("empty"));
    assert!(problem("a{b").contains("not closed"));
    assert!(problem("a}b").contains("not opened"));
    assert!(problem("{a}{b}").contains("literal text"));
    assert!(problem("{a}.{a}").contains("twice"));
    assert!(problem("{a b}").contains("not a name"));
    assert!(problem("{}").contains("not a name"));
    assert!(problem("{a*}.b").contains("takes the rest"));
}
