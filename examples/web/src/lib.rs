//! What the web applications have in common.
//!
//! | file | contents |
//! | --- | --- |
//! | `site` | [`Site`]: the server, the subscriber and the listener of an application, and its end |
//! | `live` | the route `/live`: whether the service hears its server |
//! | `page` | [`page`]: a response with one HTML file |
//! | `processes` | several processes of an application, started by one command |
//! | `failed` | [`Failed`]: an error as a response |
//!
//! The applications are in `src/bin`, each with its page.

mod failed;
mod live;
mod page;
pub mod processes;
#[path = "../../server/mod.rs"]
mod server;
mod site;

pub use failed::Failed;
pub use page::page;
pub use site::{Result, Site};
