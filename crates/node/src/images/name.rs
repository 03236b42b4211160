//! Image names: what was given, and the one full form that all short forms of it stand for.

use crate::api::ImageError;
use oci_client::Reference;

/// An image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// As it was given.
    pub given: String,
    /// Host, repository, and tag or digest: `docker.io/library/busybox:latest`.
    pub reference: Reference,
    /// Whether the host was said, or left to be the default.
    pub names_host: bool,
}

impl ImageName {
    /// Takes a name that came from outside.
    pub fn parse(given: &str) -> Result<Self, ImageError> {
        let invalid = |detail: String| ImageError::Invalid { name: given.chars().take(300).collect(), detail };
        let reference: Reference = given.parse().map_err(|error| invalid(format!("{error}")))?;
        let first = given.split('/').next().unwrap_or_default();
        let names_host = given.contains('/') && (first.contains(['.', ':']) || first == "localhost");
        Ok(Self { given: given.to_owned(), reference, names_host })
    }

    /// The same for every form of one name.
    pub fn full(&self) -> String {
        self.reference.whole()
    }

    /// The repository as a registry other than the default one would have it.
    pub fn short_repository(&self) -> &str {
        let repository = self.reference.repository();
        if self.names_host { repository } else { repository.strip_prefix("library/").unwrap_or(repository) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_its_full_form() {
        for (given, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("library/busybox:latest", "docker.io/library/busybox:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
            ("oven/bun:1", "docker.io/oven/bun:1"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            (
                "ghcr.io/o/r@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "ghcr.io/o/r@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            ),
        ] {
            let name = ImageName::parse(given).unwrap();
            assert_eq!((name.full().as_str(), name.given.as_str()), (full, given));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "UPPER", "a b", "../x", "x:tag:tag", "http://x/y", "x@sha256:12", &"x".repeat(5000)] {
            assert!(matches!(ImageName::parse(bad), Err(ImageError::Invalid { .. })), "{bad}");
        }
    }
}
