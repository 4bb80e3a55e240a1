//! The web applications in a real browser: headless Chromium, driven over WebDriver.
//!
//! | file | contents |
//! | --- | --- |
//! | `stage` | a test's server, applications and driver |
//! | `page` | one page in one browser |
//! | `pictures` | screenshots of a page, for a developer |
//! | `prometheus` | the metrics of an application, as Prometheus sees them |
//! | `client` | a client that a browser cannot be |
//! | `limits` | what the applications refuse |
//! | `ending` | what a service does at its end, also if a client does not read |
//! | `collector` | the spans of a trace, as a collector of OpenTelemetry receives them |
//! | `open_telemetry` | what connects the library with `tracing-opentelemetry`, as in the docs |
//! | one file for each application | its tests |
//!
//! Without Chromium and its driver the tests are skipped, unless `REQUIRE_CHROMIUM` is 1. On Debian they
//! are the packages `chromium` and `chromium-driver`.
//!
//! With `SCREENSHOTS=folder` the tests write pictures of the pages to this folder.

mod chat;
mod client;
mod collector;
mod ending;
mod limits;
mod notifications;
mod open_telemetry;
mod page;
mod pictures;
mod prometheus;
mod stage;
mod sync;
mod ticker;
