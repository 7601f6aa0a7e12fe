//! Keeps web pages away from the operator's listener: those of other origins, and names that were made to lead here.
//!
//! Pure; what comes from a program on this machine, or through a port-forward, passes.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, StatusCode, header, uri::Authority};

const JSON: &str = "application/json";

/// Refuses a request that a page can have made in a browser, with a status and a reason.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    bound: SocketAddr,
) -> Result<(), (StatusCode, &'static str)> {
    if !names_this_listener(headers, bound.ip()) {
        let reason = "the host must be localhost or the address that is listened on";
        return Err((StatusCode::MISDIRECTED_REQUEST, reason));
    }
    if headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "requests of web pages are refused"));
    }
    let is_json = || {
        let type_ = headers.get(header::CONTENT_TYPE);
        let type_ = type_
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        type_
            .split(';')
            .next()
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
    };
    if method == Method::POST && !is_json() {
        let reason = "a request that changes something must have the content type application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    Ok(())
}

/// A page can lead any name of its own to this address, but no number.
fn names_this_listener(headers: &HeaderMap, bound: IpAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return false;
    };
    let name = authority.host();
    if authority.as_str().contains('@') {
        return false;
    }
    let number = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match number.unwrap_or(name).parse::<IpAddr>() {
        Ok(number) => number.is_loopback() || bound.is_unspecified() || number == bound,
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn status(method: &Method, headers: &[(&'static str, &str)], bound: &str) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let checked = check(method, &map, bound.parse().unwrap());
        checked.err().map(|(status, _)| status.as_u16())
    }

    #[test]
    fn only_this_machine_is_named() {
        for (host, is_ours) in [
            ("localhost", true),
            ("localhost:9441", true),
            ("LOCALHOST:1", true),
            ("127.0.0.1:9441", true),
            ("127.1.2.3", true),
            ("[::1]:9441", true),
            ("10.0.0.1", false),
            ("", false),
            ("evil.example", false),
            ("localhost.evil.example:9441", false),
            ("127.0.0.1.evil.example", false),
            ("evil@localhost", false),
            ("localhost:9441, evil.example", false),
            ("[::1", false),
        ] {
            let refused = status(&Method::GET, &[("host", host)], "127.0.0.1:9441");
            assert_eq!(refused, (!is_ours).then_some(421), "{host:?}");
        }
        assert_eq!(status(&Method::GET, &[], "127.0.0.1:9441"), Some(421));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(status(&Method::GET, &two, "127.0.0.1:9441"), Some(421));
        let bound = [("host", "10.0.0.1:9441")];
        assert_eq!(status(&Method::GET, &bound, "10.0.0.1:9441"), None);
        assert_eq!(status(&Method::GET, &bound, "10.0.0.2:9441"), Some(421));
        assert_eq!(status(&Method::GET, &bound, "[::]:9441"), None);
        let rebound = [("host", "evil.example:9441")];
        assert_eq!(status(&Method::GET, &rebound, "[::]:9441"), Some(421));
    }

    #[test]
    fn pages_are_refused() {
        let bound = "127.0.0.1:9441";
        for origin in ["http://evil.example", "http://localhost:9441", "null"] {
            let headers = [("host", "localhost"), ("origin", origin)];
            assert_eq!(status(&Method::GET, &headers, bound), Some(403), "{origin}");
        }
        for (type_, refused) in [
            ("application/json", None),
            ("Application/JSON; charset=utf-8", None),
            ("text/plain", Some(415)),
            ("application/x-www-form-urlencoded", Some(415)),
            ("text/plain;application/json", Some(415)),
        ] {
            let headers = [("host", "localhost"), ("content-type", type_)];
            assert_eq!(status(&Method::POST, &headers, bound), refused, "{type_}");
        }
        assert_eq!(
            status(&Method::POST, &[("host", "localhost")], bound),
            Some(415)
        );
    }
}
