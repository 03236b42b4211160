//! Headers on their way through the edge.

use super::address::Place;
use super::{cookies, token};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, LOCATION, REFERER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that are about one connection, not about the request.
const HOP_BY_HOP: [HeaderName; 6] =
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];

/// Headers that name the edge's own credentials, or that only the edge may say.
const OURS: [&str; 7] = [
    "proxy-authorization",
    "proxy-authenticate",
    "x-nullspace-preview-proxy-token",
    "x-nullspace-traffic-access-token",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-prefix",
];

/// How this server's own keys begin.
const KEY_PREFIX: &str = "ns_live_";

/// The upgrade that both sides want to make, if it is to a WebSocket.
pub fn websocket(headers: &HeaderMap) -> bool {
    let says = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|value| value.trim().eq_ignore_ascii_case(word))
    };
    says(CONNECTION, "upgrade") && says(UPGRADE, "websocket")
}

/// What the machine is sent.
pub fn inward(headers: &mut HeaderMap, place: &Place, tls: bool) {
    let upgrade = websocket(headers);
    strip(headers);
    for name in OURS {
        headers.remove(name);
    }
    // An API key that somebody sent along, and an address that holds a token.
    let says = |headers: &HeaderMap, name: HeaderName, secret: &str| {
        headers
            .get_all(name)
            .iter()
            .any(|value| value.as_bytes().windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    if says(headers, AUTHORIZATION, KEY_PREFIX) {
        headers.remove(AUTHORIZATION);
    }
    if says(headers, REFERER, token::QUERY) {
        headers.remove(REFERER);
    }
    let cookies: Vec<String> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(cookies::without_ours)
        .collect();
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_str(&cookies.join("; "))
        && !cookies.is_empty()
    {
        headers.insert(COOKIE, value);
    }
    // Servers made for development refuse names they do not know; what the client said is kept aside.
    if let Some(host) = headers.remove(HOST) {
        headers.insert("x-forwarded-host", host);
    }
    let host = HeaderValue::from_str(&format!("localhost:{}", place.port)).expect("a port is digits");
    headers.insert(HOST, host);
    headers.insert("x-forwarded-proto", HeaderValue::from_static(if tls { "https" } else { "http" }));
    if let Ok(prefix) = HeaderValue::from_str(&place.prefix)
        && !place.prefix.is_empty()
    {
        headers.insert("x-forwarded-prefix", prefix);
    }
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    } else {
        // One connection into the machine for each request.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// What the client is sent.
pub fn outward(headers: &mut HeaderMap, place: &Place, upgraded: bool) {
    strip(headers);
    if upgraded {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let scoped: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| cookies::scoped(value.to_str().ok()?, &place.prefix))
        .filter_map(|value| HeaderValue::from_str(&value).ok())
        .collect();
    headers.remove(SET_COOKIE);
    for value in scoped {
        headers.append(SET_COOKIE, value);
    }
    // A redirect within the machine stays under the prefix; `//host` is another place.
    let local = headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .filter(|path| path.starts_with('/') && !path.starts_with("//"));
    if let Some(moved) = local.and_then(|path| HeaderValue::from_str(&format!("{}{path}", place.prefix)).ok()) {
        headers.insert(LOCATION, moved);
    }
}

/// Removes hop-by-hop headers, also those that `Connection` names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nullspace_domain::SandboxId;

    fn place() -> Place {
        Place { sandbox: SandboxId::parse("sb_1").unwrap(), port: 8080, prefix: "/p/8080/sb_1".into() }
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn the_machine_sees_neither_our_token_nor_what_only_the_connection_meant() {
        let mut headers = map(&[
            ("host", "edge.example.org"),
            ("connection", "keep-alive, x-private"),
            ("keep-alive", "5"),
            ("x-private", "1"),
            ("x-forwarded-proto", "https"),
            ("cookie", "nullspace_edge=secret; a=1"),
            ("authorization", "Basic theirs"),
            ("referer", "http://edge.example.org/?edge_token=secret"),
        ]);
        inward(&mut headers, &place(), false);
        let mut seen: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        seen.sort();
        insta::assert_snapshot!(seen.join("\n"), @r"
        authorization: Basic theirs
        connection: close
        cookie: a=1
        host: localhost:8080
        x-forwarded-host: edge.example.org
        x-forwarded-prefix: /p/8080/sb_1
        x-forwarded-proto: http
        ");
    }

    #[test]
    fn an_api_key_never_reaches_a_machine() {
        let mut headers = map(&[("authorization", "Bearer ns_live_abc")]);
        inward(&mut headers, &place(), false);
        assert_eq!(headers.get(AUTHORIZATION), None);
    }

    #[test]
    fn an_upgrade_to_a_websocket_survives_and_no_other_does() {
        let mut headers = map(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
        inward(&mut headers, &place(), false);
        assert!(websocket(&headers));
        let mut headers = map(&[("connection", "Upgrade"), ("upgrade", "h2c")]);
        inward(&mut headers, &place(), false);
        assert_eq!(headers.get(UPGRADE), None);
    }

    #[test]
    fn a_redirect_stays_under_the_prefix() {
        for (from, to) in
            [("/login", "/p/8080/sb_1/login"), ("//evil.org/", "//evil.org/"), ("https://x.org/", "https://x.org/")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, HeaderValue::from_str(from).unwrap());
            outward(&mut headers, &place(), false);
            assert_eq!(headers[LOCATION], to);
        }
    }
}
