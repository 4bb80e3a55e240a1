use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Refuses requests that pages of other sites send, for
/// [`from_fn`](axum::middleware::from_fn).
///
/// Browsers let a page of any site open a WebSocket to this one, and send it a POST of plain text, with the
/// cookies of its user. So without this, any site that a user visits could read and write here in the
/// user's name.
pub(crate) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    if is_of_this_site(request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "this page is of another site").into_response()
}

/// Returns whether a request comes from a page of this site, or from no page at all.
///
/// Browsers say in `Origin` whose page it is: its host must be the `Host` that was asked for, with the same
/// port. Programs other than browsers do not send it, and neither do browsers when a user follows a link.
///
/// - A proxy must pass `Host` on, as in nginx with `proxy_set_header Host $http_host`. If it does not, pages are
///   refused, and no other site is let in.
/// - The scheme is not compared, because a service behind a proxy does not know it.
/// - The domain of an attacker may resolve to the address of this service, and then both headers name it. Such a
///   page has no cookies of this site. A service without a login that must not be reached in this way compares
///   `Host` with its own names.
pub fn is_of_this_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some((scheme, site)), Some(host)) = (origin, host) else {
        return false;
    };
    // Browsers leave out the port of the scheme. A proxy may add it.
    let port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let host = host.strip_suffix(port).unwrap_or(host);
    host.eq_ignore_ascii_case(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<const N: usize>(headers: [(axum::http::HeaderName, &'static str); N]) -> HeaderMap {
        let headers = headers.into_iter();
        headers
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_page_of_another_site_is_told_from_one_of_this_site() {
        assert!(is_of_this_site(&headers([(HOST, "localhost:8080")])));
        for (origin, is_of_it) in [
            ("http://localhost:8080", true),
            ("https://LOCALHOST:8080", true),
            ("http://localhost:8081", false),
            ("http://localhost", false),
            ("https://elsewhere.example", false),
            ("https://localhost:8080.elsewhere.example", false),
            ("null", false),
            ("", false),
        ] {
            let headers = headers([(HOST, "localhost:8080"), (ORIGIN, origin)]);
            assert_eq!(is_of_this_site(&headers), is_of_it, "{origin}");
        }
        assert!(!is_of_this_site(&headers([(ORIGIN, "http://localhost")])));
    }

    #[test]
    fn the_port_of_a_scheme_may_be_left_out() {
        for (host, origin, is_of_it) in [
            ("shop.example", "https://shop.example", true),
            ("shop.example:443", "https://shop.example", true),
            ("shop.example:80", "http://shop.example", true),
            ("shop.example:80", "https://shop.example", false),
            ("[::1]:443", "https://[::1]", true),
            ("shop.example", "https://shop.example:8443", false),
        ] {
            let headers = headers([(HOST, host), (ORIGIN, origin)]);
            assert_eq!(is_of_this_site(&headers), is_of_it, "{host} {origin}");
        }
    }
}
