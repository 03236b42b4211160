//! `debian:SUITE` and `python:VERSION`: a minimal system made by `debootstrap` from the distribution's packages.
//!
//! It takes a minute or two, so a finished image is kept in the user's cache as an OCI layout, and the
//! next data directory imports it from there.

use super::as_root::{self, Running};
use super::cache;
use super::failed;
use crate::api::{ImageError, ImageProgress};
use crate::disk::tools::DEBOOTSTRAP;
use crate::images::blobs::{BlobDigest, Blobs};
use crate::images::manifest::ConfigBody;
use crate::images::{Settings, pack, say};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::sync::mpsc;

const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";
/// A slow host behind a slow mirror needs ten minutes.
const WITHIN: Duration = Duration::from_secs(30 * 60);
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Releases and the Python they have.
const SUITES: [(&str, &str, &str); 3] =
    [("bullseye", "11", "3.9"), ("bookworm", "12", "3.11"), ("trixie", "13", "3.13")];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    suite: &'static str,
    /// The version, if it is to have Python.
    python: Option<&'static str>,
}

impl Recipe {
    /// Reads `debian:bookworm`, `debian:12`, `python:3.11`, each also with `-slim` as the registry has them.
    pub fn parse(text: &str) -> Option<Self> {
        let (product, version) = text.split_once(':')?;
        let version = version.strip_suffix("-slim").unwrap_or(version);
        let asked = |(suite, number, python): &&(&'static str, &'static str, &'static str)| match product {
            "debian" => version == *suite || version == *number,
            "python" => {
                version == *python
                    || version
                        .strip_prefix(python)
                        .is_some_and(|rest| rest == format!("-{suite}") || rest == format!("-slim-{suite}"))
            }
            _ => false,
        };
        let (suite, _, python) = *SUITES.iter().find(asked)?;
        Some(Self { suite, python: (product == "python").then_some(python) })
    }

    /// What can be asked for.
    pub fn all() -> impl Iterator<Item = String> {
        SUITES.iter().flat_map(|(suite, _, python)| [format!("debian:{suite}"), format!("python:{python}")])
    }

    /// Its name in the cache. The number is raised when the recipe changes.
    fn key(&self) -> String {
        match self.python {
            Some(python) => format!("python-{python}-{}-1", self.suite),
            None => format!("debian-{}-1", self.suite),
        }
    }

    fn packages(&self) -> &'static str {
        if self.python.is_some() { "ca-certificates,python3,python3-pip,python3-venv" } else { "ca-certificates" }
    }

    fn config(&self) -> ConfigBody {
        let env = ["PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"];
        ConfigBody {
            env: Some(env.map(str::to_owned).to_vec()),
            cmd: Some(vec![if self.python.is_some() { "python3" } else { "bash" }.into()]),
            working_dir: Some("/".into()),
            ..ConfigBody::default()
        }
    }
}

/// Makes the image, or takes it from the cache, and gives its manifest's digest.
pub fn make(
    blobs: &Blobs,
    work: &Path,
    settings: &Settings,
    recipe: &Recipe,
    progress: &mpsc::Sender<ImageProgress>,
) -> Result<BlobDigest, ImageError> {
    if let Some(directory) = &settings.bootstrap_cache
        && let Some(found) = cache::load(blobs, directory, &recipe.key())
    {
        say(progress, format!("taken from `{}`", directory.display()));
        return Ok(found);
    }
    let manifest = bootstrap(blobs, work, settings, recipe, progress)?;
    if let Some(directory) = &settings.bootstrap_cache
        && let Err(error) = cache::store(blobs, directory, &recipe.key(), &manifest)
    {
        tracing::warn!("cannot keep the image in `{}` for other data directories: {error}", directory.display());
    }
    Ok(manifest)
}

/// Runs as root, or as the root of a namespace. The tree is packed and removed there too, because its owners are.
const SCRIPT: &str = r#"
set -eu
tree=$1 suite=$2 mirror=$3 packages=$4 python=$5
shift 5
trap 'rm -rf --one-file-system "$tree"' EXIT
debootstrap --variant=minbase --include="$packages" "$@" "$suite" "$tree" "$mirror" >&2
rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/cache/apt/*.bin "$tree"/var/lib/apt/lists/* "$tree"/var/log/*.log "$tree"/debootstrap
rm -f "$tree"/etc/resolv.conf "$tree"/etc/hostname "$tree"/var/lib/dbus/machine-id
: > "$tree"/etc/machine-id
# A machine's own /dev is laid over it.
rm -rf --one-file-system "$tree"/dev/*
if [ -n "$python" ]; then
    ln -sf python3 "$tree"/usr/bin/python
    rm -f "$tree"/usr/lib/python3*/EXTERNALLY-MANAGED
fi
tar --numeric-owner --sort=name --xattrs --xattrs-include=security.capability --one-file-system -C "$tree" -c .
"#;

fn bootstrap(
    blobs: &Blobs,
    work: &Path,
    settings: &Settings,
    recipe: &Recipe,
    progress: &mpsc::Sender<ImageProgress>,
) -> Result<BlobDigest, ImageError> {
    let doing = format!("make a {} image with debootstrap", recipe.suite);
    DEBOOTSTRAP.command().map_err(failed(doing.clone()))?;
    let mirror = settings.debian_mirror.clone().or_else(host_mirror).unwrap_or_else(|| DEFAULT_MIRROR.into());
    say(progress, format!("making {} from the packages of {mirror}; this takes a minute or two", recipe.suite));
    if !Path::new(KEYRING).exists() {
        let missing = "is not there, so packages cannot be verified: `apt-get install debian-archive-keyring`";
        return Err(ImageError::Failed { doing, detail: format!("`{KEYRING}` {missing}") });
    }
    let directory = tempfile::Builder::new().prefix("bootstrap-").tempdir_in(work).map_err(failed(doing.clone()))?;
    let mut command = as_root::command().map_err(|detail| ImageError::Failed { doing: doing.clone(), detail })?;
    command.args(["/bin/sh", "-c", SCRIPT, "bootstrap"]).arg(directory.path().join("tree"));
    command.args([recipe.suite, &mirror, recipe.packages(), recipe.python.unwrap_or_default()]);
    command.arg(format!("--keyring={KEYRING}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(&mut command, WITHIN).map_err(failed(doing.clone()))?;
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let listener = std::thread::spawn({
        let progress = progress.clone();
        move || listen(stderr, &progress)
    });
    let packed = pack::single_layer(blobs, stdout.expect("standard output is a pipe"), recipe.config());
    let status = running.wait().map_err(failed(doing.clone()));
    let said = listener.join().unwrap_or_default();
    // A killed program leaves its tree.
    as_root::remove_tree(directory.path()).map_err(failed(doing.clone()))?;
    let (packed, status) = (packed?, status?);
    if !status.success() {
        return Err(ImageError::Failed { doing, detail: format!("it ended with {status}: {said}") });
    }
    Ok(packed)
}

/// Passes on what debootstrap says it does, and gives its last lines for an error.
fn listen(stderr: Option<impl Read>, progress: &mpsc::Sender<ImageProgress>) -> String {
    let mut last = VecDeque::new();
    // A line is a few hundred bytes; the bound is for a tool gone wrong.
    let mut lines = stderr.map(|pipe| BufReader::new(pipe.take(64 * 1024 * 1024)));
    let mut line = Vec::new();
    while let Some(reader) = &mut lines
        && reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0)
    {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if let Some(step) = text.strip_prefix("I: ") {
            say(progress, step);
        }
        last.push_back(text);
        if last.len() > 8 {
            last.pop_front();
        }
        line.clear();
    }
    last.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Where this host gets its Debian packages.
fn host_mirror() -> Option<String> {
    let mut sources = vec![fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        sources.extend(paths.iter().filter_map(|path| fs::read_to_string(path).ok()));
    }
    sources.iter().find_map(|text| mirror_in(text))
}

/// The first Debian archive in a source list, of either form. Other archives do not have these releases.
fn mirror_in(sources: &str) -> Option<String> {
    let urls = sources.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let rest: Vec<_> = match words.next()? {
            "deb" | "URIs:" => words.collect(),
            _ => return None,
        };
        rest.into_iter().find(|word| word.starts_with("http://") || word.starts_with("https://"))
    });
    urls.map(|url| url.trim_end_matches('/')).find(|url| url.ends_with("/debian")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_names_the_release_that_has_what_is_asked() {
        let parsed = |text| Recipe::parse(text).map(|recipe| (recipe.suite, recipe.python));
        for (text, expected) in [
            ("debian:bookworm", ("bookworm", None)),
            ("debian:12-slim", ("bookworm", None)),
            ("debian:trixie", ("trixie", None)),
            ("python:3.11", ("bookworm", Some("3.11"))),
            ("python:3.11-slim", ("bookworm", Some("3.11"))),
            ("python:3.13-slim-trixie", ("trixie", Some("3.13"))),
        ] {
            assert_eq!(parsed(text), Some(expected), "{text}");
        }
        for none in ["python:3.12", "python:3.11-trixie", "debian:sid", "debian", "ubuntu:24.04", "python:"] {
            assert_eq!(parsed(none), None, "{none}");
        }
    }

    #[test]
    fn the_mirror_is_the_hosts_own_if_it_is_debians() {
        let new = "Types: deb\n# a comment\nURIs: http://mirror.example/debian/\nSuites: bookworm\n";
        assert_eq!(mirror_in(new).as_deref(), Some("http://mirror.example/debian"));
        let old = "# deb http://no/debian x\ndeb [arch=amd64] https://deb.example/debian bookworm main\n";
        assert_eq!(mirror_in(old).as_deref(), Some("https://deb.example/debian"));
        assert_eq!(mirror_in("deb http://archive.ubuntu.com/ubuntu noble main\n"), None);
        assert_eq!(mirror_in("URIs: http://deb.debian.org/debian-security\n"), None);
    }
}
