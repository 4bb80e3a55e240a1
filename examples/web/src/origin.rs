use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Returns whether a request comes from a page of this site, or from no page at all.
///
/// Browsers let a page of any site open a WebSocket to this one, with the cookies of its user. They say
/// in `Origin` whose page it is. A program that is no browser sends none. A proxy must pass `Host` on.
pub fn is_of_this_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok();
    let site = origin.and_then(|origin| origin.split_once("://"));
    site.is_some_and(|(_, site)| host.is_some_and(|host| host.eq_ignore_ascii_case(site)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_is_told_from_one_of_this_site() {
        let headers = |headers: &[(_, &'static str)]| {
            let headers = headers.iter().cloned();
            headers
                .map(|(name, value)| (name, value.parse().unwrap()))
                .collect::<HeaderMap>()
        };
        let host = (HOST, "localhost:8080");
        assert!(is_of_this_site(&headers(&[host.clone()])));
        for (origin, is_of_it) in [
            ("http://localhost:8080", true),
            ("https://LOCALHOST:8080", true),
            ("http://localhost:8081", false),
            ("http://localhost", false),
            ("https://elsewhere.example", false),
            ("null", false),
            ("", false),
        ] {
            let headers = headers(&[host.clone(), (ORIGIN, origin)]);
            assert_eq!(is_of_this_site(&headers), is_of_it, "{origin}");
        }
        assert!(!is_of_this_site(&headers(&[(ORIGIN, "http://localhost")])));
    }
}
