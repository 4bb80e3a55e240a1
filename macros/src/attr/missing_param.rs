//! Why a name in the attribute does not have the param of an argument, and what to write instead.

use super::listen::{Listen, Target};
use crate::ast::types::readable;
use crate::ast::{ParamArg, Template};
use crate::errors::nearest;

/// Returns the error for a `Param` whose param is not in the first name that lacks it.
pub(super) fn missing_param(listens: &[Listen], param: &ParamArg<'_>) -> Option<String> {
    // The compiler checks the params of constants.
    let lacks =
        |listen: &&Listen| !listen.is_constant() && !listen.params().contains(&&*param.name);
    let listen = listens.iter().find(lacks)?;
    let (key, text, name) = (&listen.key, listen.text(), &param.name);
    Some(match &listen.target {
        // The checks of the runtime have a sentence for these, for all arguments.
        Target::Invalidation(_) | Target::Connection | Target::Const(_) => return None,
        Target::Shard => format!(
            "a sharded name has no params: `{text}` is used unchanged, and there are no sharded \
             patterns; write each name in `shard = [..]`, and take it as `ChannelName<'_>`"
        ),
        Target::Pattern => {
            let with_param = match text.matches('*').count() {
                1 => text.replace('*', &format!("{{{name}}}")),
                _ => String::new(),
            };
            // An escape or another wildcard means something else in a template.
            let is_plain = !text.contains(['?', '[', '\\']) && Template::parse(&with_param).is_ok();
            let example = if is_plain {
                with_param
            } else {
                format!("orders.{{{name}}}")
            };
            format!("a pattern has no params; write the name with one: `channel = \"{example}\"`")
        }
        Target::Channel(_) => format!(
            "the channel `{text}` has no params; write `{{{name}}}` where it is in the name, as in \
             `{key} = \"{text}.{{{name}}}\"`"
        ),
        Target::Template(template) => {
            let params: Vec<_> = template.params().collect();
            let what = if key == "keyspace" { "key" } else { "channel" };
            only_has(what, &params, param)
        }
    })
}

/// Returns the error for a name that has other params.
fn only_has(what: &str, params: &[&str], param: &ParamArg<'_>) -> String {
    let (name, ty) = (&param.name, readable(param.inner));
    let quoted: Vec<_> = params.iter().map(|name| format!("`{{{name}}}`")).collect();
    let near = nearest(name, params.iter().copied());
    // The number of the database is added to every `keyspace`, and is seldom what is meant.
    let mut written = params.iter().copied().filter(|name| *name != "database");
    let Some(instead) = near.or_else(|| written.next()) else {
        return format!(
            "the {what} has no param `{{{name}}}`, only {}",
            quoted.join(", ")
        );
    };
    format!(
        "the {what} has no param `{{{name}}}`, only {}: write `Param({instead}): Param<{ty}>`",
        quoted.join(", "),
    )
}
