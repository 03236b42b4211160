//! Which port of which sandbox a request is for: said by the host, or by the path.

use super::Settings;
use nullspace_domain::SandboxId;

/// What a request wants to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub sandbox: SandboxId,
    pub port: u16,
    /// What the machine's own path is prefixed with outside: empty, or `/p/8080/sb_x`.
    pub prefix: String,
}

/// Ports that are never reachable: SSH and VNC have their own ways in (spec sandboxes §11).
pub fn is_refused(port: u16) -> bool {
    port == 0 || port == 22 || (5900..=5999).contains(&port)
}

/// Host (and in path form, path) of a port.
pub fn host(settings: &Settings, sandbox: &SandboxId, port: u16) -> String {
    match &settings.domain {
        Some(domain) => format!("{port}-{}.{domain}", sandbox.as_str().replace('_', "-")),
        None => format!("{}/p/{port}/{sandbox}", settings.authority),
    }
}

/// Finds the place in a request's host or path, and the path that the machine will see.
pub fn find(settings: &Settings, host: &str, path: &str) -> Option<(Place, String)> {
    if let Some(domain) = &settings.domain {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let domain = domain.rsplit_once(':').map_or(domain.as_str(), |(name, _)| name);
        let label = name.strip_suffix(domain)?.strip_suffix('.')?;
        let (port, sandbox) = label.split_once('-')?;
        // A host name holds no `_`, so an id travels with its first one as `-`.
        let sandbox = SandboxId::parse(&sandbox.replacen('-', "_", 1)).ok()?;
        let place = Place { sandbox, port: parse_port(port)?, prefix: String::new() };
        return Some((place, path.to_owned()));
    }
    let rest = path.strip_prefix("/p/")?;
    let (port, rest) = rest.split_once('/')?;
    let (sandbox, inner) = match rest.split_once('/') {
        Some((sandbox, inner)) => (sandbox, format!("/{inner}")),
        None => (rest, "/".to_owned()),
    };
    let prefix = format!("/p/{port}/{sandbox}");
    let place = Place { sandbox: SandboxId::parse(sandbox).ok()?, port: parse_port(port)?, prefix };
    Some((place, inner))
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| !is_refused(*port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(domain: Option<&str>) -> Settings {
        Settings {
            authority: "127.0.0.1:3001".into(),
            domain: domain.map(Into::into),
            tls: false,
            directory: "/nowhere".into(),
        }
    }

    #[test]
    fn a_place_is_found_where_its_address_says() {
        let sandbox = SandboxId::parse("sb_abc").unwrap();
        let by_host = settings(Some("preview.example.org:8443"));
        assert_eq!(host(&by_host, &sandbox, 8080), "8080-sb-abc.preview.example.org:8443");
        let (place, path) = find(&by_host, "8080-sb-abc.preview.example.org:8443", "/a/b").unwrap();
        assert_eq!(
            (place.sandbox, place.port, place.prefix.as_str(), path.as_str()),
            (sandbox.clone(), 8080, "", "/a/b")
        );

        let by_path = settings(None);
        assert_eq!(host(&by_path, &sandbox, 8080), "127.0.0.1:3001/p/8080/sb_abc");
        let (place, path) = find(&by_path, "anything", "/p/8080/sb_abc/a/b").unwrap();
        assert_eq!((place.prefix.as_str(), path.as_str()), ("/p/8080/sb_abc", "/a/b"));
        assert_eq!(find(&by_path, "anything", "/p/8080/sb_abc").unwrap().1, "/");
    }

    #[test]
    fn what_is_no_place_is_not_found() {
        let by_host = settings(Some("example.org"));
        for host in [
            "example.org",
            "8080-sb-abc.example.com",
            "22-sb-abc.example.org",
            "x-sb-abc.example.org",
            "sb-abc.example.org",
        ] {
            assert_eq!(find(&by_host, host, "/"), None, "{host}");
        }
        let by_path = settings(None);
        for path in
            ["/", "/p/8080", "/p/22/sb_abc/", "/p/5901/sb_abc/", "/p/0/sb_abc/", "/p/99999/sb_abc/", "/p/80/tb_abc/"]
        {
            assert_eq!(find(&by_path, "h", path), None, "{path}");
        }
    }
}
