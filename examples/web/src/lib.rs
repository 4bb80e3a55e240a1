//! What the web applications have in common.
//!
//! | file | contents |
//! | --- | --- |
//! | `site` | [`Site`]: the server, the subscriber and the listener of an application, and its end |
//! | `live` | the route `/live`: whether the service hears its server |
//! | `probes` | the routes `/metrics`, `/health/ready` and `/health/live` |
//! | `origin` | [`is_of_this_site`]: whose page sends a request; [`Site`] refuses those of other sites |
//! | `page` | [`page`]: a response with one HTML file |
//! | `processes` | several processes of an application, started by one command |
//! | `failed` | [`Failed`]: an error as a response |
//!
//! The applications are in `src/bin`, each with its page.

mod failed;
mod live;
mod origin;
mod page;
pub mod probes;
pub mod processes;
#[path = "../../server/mod.rs"]
mod server;
mod site;

pub use failed::Failed;
pub use origin::is_of_this_site;
pub use page::page;
pub use site::{Result, Site};

/// Compiles the code of the page "In a web service" of the docs.
#[cfg(doctest)]
#[doc = include_str!("../../../runtime/docs/in-a-web-service.md")]
struct InAWebService;

/// Compiles the code of the page "Traces" of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../runtime/docs/traces.md")]
struct Traces;

#[cfg(test)]
mod tests {
    /// Returns the code of a file from a line on, without what it needs only as a module.
    fn code(file: &str, from: &str, to: &str) -> String {
        let start = file.find(from).expect("the first line");
        let length = file[start..].find(to).expect("the last line") + to.len();
        file[start..start + length]
            .replace("pub(crate) ", "")
            .replace("#[derive(Debug)]\npub ", "")
    }

    #[test]
    fn the_docs_have_the_code_of_the_applications() {
        const PAGE: &str = include_str!("../../../runtime/docs/in-a-web-service.md");
        let notifications = include_str!("bin/notifications/user.rs");
        let live = include_str!("live.rs");
        let failed = include_str!("failed.rs");
        for code in [
            code(
                notifications,
                "#[derive(PushMessage",
                "KeepAlive::default()))\n}\n",
            ),
            code(live, "/// Sends `true`", "\n}\n"),
            code(failed, "/// An error", "into_response()\n    }\n}\n"),
        ] {
            assert!(PAGE.contains(&code), "the page has no such code:\n{code}");
        }
    }

    #[test]
    fn the_docs_have_the_propagator_that_is_tested() {
        const PAGE: &str = include_str!("../../../runtime/docs/traces.md");
        let tested = include_str!("../tests/browser/open_telemetry.rs");
        let code = code(
            tested,
            "use opentelemetry::Context;",
            "        }\n    }\n}\n",
        );
        assert!(PAGE.contains(&code), "the page has no such code:\n{code}");
    }
}
