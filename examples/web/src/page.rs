use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse};

/// A response with one HTML file, which asks no other host for anything.
///
/// The browser holds the page to that by the content security policy.
pub fn page(html: &'static str) -> impl IntoResponse {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                          connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                          frame-ancestors 'none'";
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html))
}
