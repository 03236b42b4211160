//! Cookies at the edge: ours, which carries the token after the first request, and the machine's,
//! which must not reach another machine that shares our host in path form.

/// The cookie that carries the token.
const NAME: &str = "nullspace_edge";

/// `Set-Cookie` for a token, seen only under this place.
pub fn set(token: &str, prefix: &str, tls: bool) -> String {
    let secure = if tls { "; Secure" } else { "" };
    format!("{NAME}={token}; Path={prefix}/; HttpOnly; SameSite=Lax{secure}")
}

/// The token in a `Cookie` header.
pub fn token(header: &str) -> Option<&str> {
    pairs(header).find_map(|pair| pair.strip_prefix(NAME)?.strip_prefix('='))
}

/// A `Cookie` header without ours; none if nothing is left.
pub fn without_ours(header: &str) -> Option<String> {
    let ours = |pair: &&str| pair.split('=').next() == Some(NAME);
    let left: Vec<&str> = pairs(header).filter(|pair| !ours(pair)).collect();
    if left.is_empty() { None } else { Some(left.join("; ")) }
}

fn pairs(header: &str) -> impl Iterator<Item = &str> {
    header.split(';').map(str::trim).filter(|pair| !pair.is_empty())
}

/// A machine's `Set-Cookie`, kept to its own place: no domain, and its path below the prefix. None
/// if it would take our cookie's name.
pub fn scoped(header: &str, prefix: &str) -> Option<String> {
    let mut attributes = header.split(';').map(str::trim);
    let pair = attributes.next()?;
    if pair.split('=').next().map(str::trim) == Some(NAME) {
        return None;
    }
    let mut path = "/".to_owned();
    let mut kept = vec![pair.to_owned()];
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "domain" => {}
            "path" if value.trim().starts_with('/') => path = value.trim().to_owned(),
            "path" => {}
            _ => kept.push(attribute.to_owned()),
        }
    }
    kept.push(format!("Path={prefix}{path}"));
    Some(kept.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cookie_is_found_and_never_passed_on() {
        assert_eq!(token("a=1; nullspace_edge=t.o.k; b=2"), Some("t.o.k"));
        assert_eq!(token("nullspace_edge2=x"), None);
        assert_eq!(without_ours("a=1; nullspace_edge=t; b=2").as_deref(), Some("a=1; b=2"));
        assert_eq!(without_ours("nullspace_edge=t"), None);
    }

    #[test]
    fn a_machines_cookie_stays_at_its_place() {
        let prefix = "/p/80/sb_1";
        assert_eq!(
            scoped("s=1; Domain=example.org; Path=/app; Secure", prefix).as_deref(),
            Some("s=1; Secure; Path=/p/80/sb_1/app")
        );
        assert_eq!(scoped("s=1", prefix).as_deref(), Some("s=1; Path=/p/80/sb_1/"));
        assert_eq!(scoped("s=1; path=relative", prefix).as_deref(), Some("s=1; Path=/p/80/sb_1/"));
        assert_eq!(scoped("nullspace_edge=stolen; Path=/", prefix), None);
    }
}
