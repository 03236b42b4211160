//! What a copy takes from the build context and where it lands: the rules of a Dockerfile's `COPY`
//! (spec templates §6.2). Pure.

use super::render::{RenderError, absolute, parse_mode};
use super::work::{Content, Copy, Entry, Target};
use crate::api::ContextFile;
use nullspace_domain::build::CopyItem;
use std::collections::BTreeMap;

/// Why a copy cannot be made from this context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    #[error("`{path}` is not in the build context")]
    Missing { path: String },
    #[error("`{path}` in the build context has no content")]
    NoContent { path: String },
    #[error("`{path}` is not a path inside the build context")]
    Escapes { path: String },
}

/// Lists what `item` copies. A directory gives its contents; a file goes to the destination, or
/// into it where that ends with `/`, is `.`, or several things are copied.
pub fn plan(item: &CopyItem, cwd: &str, context: &BTreeMap<String, ContextFile>) -> Result<Copy, RenderError> {
    let mode = item.mode.as_deref().map(parse_mode).transpose()?;
    let destination = absolute(cwd, &item.dst);
    let single_file = match item.sources.as_slice() {
        [source] => context.get(trimmed(source)).is_some_and(|file| !file.is_dir),
        _ => false,
    };
    let names_directory = item.dst.ends_with('/') || item.dst.ends_with("/.") || item.dst == "." || item.dst.is_empty();
    let target = if single_file && !names_directory { Target::At(destination) } else { Target::Into(destination) };

    let mut entries = Vec::new();
    for source in &item.sources {
        take(trimmed(source), mode, context, &mut entries)?;
    }
    // Directories come before what is in them, and the order does not depend on the context's.
    entries.sort_by(|a: &Entry, b: &Entry| a.path.cmp(&b.path));
    Ok(Copy { target, owner: item.user.clone(), entries })
}

fn take(
    source: &str,
    mode: Option<u32>,
    context: &BTreeMap<String, ContextFile>,
    entries: &mut Vec<Entry>,
) -> Result<(), RenderError> {
    if let Some(file) = context.get(source).filter(|file| !file.is_dir) {
        let name = source.rsplit('/').next().unwrap_or(source);
        entries.push(entry(source, name, file, mode)?);
        return Ok(());
    }
    let below = format!("{source}/");
    let before = entries.len();
    for (path, file) in context.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below)) {
        entries.push(entry(path, &path[below.len()..], file, mode)?);
    }
    // An empty directory is a directory all the same; a path nobody listed is a mistake.
    if entries.len() == before && !context.contains_key(source) {
        return Err(ContextError::Missing { path: source.to_owned() }.into());
    }
    Ok(())
}

fn entry(path: &str, name: &str, file: &ContextFile, mode: Option<u32>) -> Result<Entry, RenderError> {
    let inside = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !inside || name.contains('\0') {
        return Err(ContextError::Escapes { path: path.to_owned() }.into());
    }
    if file.is_dir {
        return Ok(Entry { path: name.to_owned(), mode: mode.map_or(file.mode, searchable), content: Content::Dir });
    }
    let (Some(source), Some(sha256)) = (&file.source, &file.sha256) else {
        return Err(ContextError::NoContent { path: path.to_owned() }.into());
    };
    Ok(Entry {
        path: name.to_owned(),
        mode: mode.unwrap_or(file.mode),
        content: Content::File { sha256: sha256.clone(), source: source.clone() },
    })
}

/// A directory that may be read may be entered: `0644` for a tree is meant for its files.
fn searchable(mode: u32) -> u32 {
    mode | ((mode & 0o444) >> 2)
}

fn trimmed(source: &str) -> &str {
    source.trim_start_matches("./").trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn context(paths: &[(&str, bool)]) -> BTreeMap<String, ContextFile> {
        paths
            .iter()
            .map(|(path, is_dir)| {
                let file = ContextFile {
                    is_dir: *is_dir,
                    mode: if *is_dir { 0o755 } else { 0o640 },
                    source: (!is_dir).then(|| PathBuf::from("/blobs/x")),
                    sha256: (!is_dir).then(|| format!("hash of {path}")),
                };
                ((*path).to_owned(), file)
            })
            .collect()
    }

    fn item(sources: &[&str], dst: &str) -> CopyItem {
        CopyItem {
            sources: sources.iter().map(|s| (*s).to_owned()).collect(),
            dst: dst.to_owned(),
            user: None,
            mode: None,
            force_upload: false,
        }
    }

    fn paths(copy: &Copy) -> Vec<&str> {
        copy.entries.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn a_directory_gives_its_contents_and_not_itself() {
        let context = context(&[
            ("c/pkg", true),
            ("c/pkg/a.py", false),
            ("c/pkg/sub", true),
            ("c/pkg/sub/b", false),
            ("c/pkgs", false),
        ]);
        let copy = plan(&item(&["c/pkg"], "/app"), "/", &context).unwrap();
        assert_eq!(copy.target, Target::Into("/app".to_owned()));
        assert_eq!(paths(&copy), ["a.py", "sub", "sub/b"]);
    }

    #[test]
    fn a_file_takes_the_destination_unless_that_names_a_directory() {
        let context = context(&[("c/a.py", false), ("c/b.py", false)]);
        let target = |sources: &[&str], dst: &str| plan(&item(sources, dst), "/w", &context).unwrap().target;
        assert_eq!(target(&["c/a.py"], "/app/main.py"), Target::At("/app/main.py".to_owned()));
        assert_eq!(target(&["c/a.py"], "main.py"), Target::At("/w/main.py".to_owned()));
        assert_eq!(target(&["c/a.py"], "/app/"), Target::Into("/app".to_owned()));
        assert_eq!(target(&["c/a.py"], "."), Target::Into("/w".to_owned()));
        assert_eq!(target(&["c/a.py", "c/b.py"], "/app"), Target::Into("/app".to_owned()));
    }

    #[test]
    fn what_is_not_in_the_context_or_would_leave_it_is_refused() {
        let listed = context(&[("c/d", true)]);
        assert!(plan(&item(&["c/d"], "/x"), "/", &listed).unwrap().entries.is_empty());
        assert_eq!(
            plan(&item(&["c/e"], "/x"), "/", &listed),
            Err(ContextError::Missing { path: "c/e".to_owned() }.into())
        );
        let climbing = context(&[("c/d/../../etc/passwd", false)]);
        assert!(plan(&item(&["c/d"], "/x"), "/", &climbing).is_err());
    }

    #[test]
    fn a_mode_for_a_tree_keeps_its_directories_enterable() {
        let context = context(&[("c/d/sub", true), ("c/d/sub/f", false)]);
        let copy = plan(&CopyItem { mode: Some("0644".to_owned()), ..item(&["c/d"], "/x") }, "/", &context).unwrap();
        assert_eq!(copy.entries.iter().map(|e| e.mode).collect::<Vec<_>>(), [0o755, 0o644]);
    }
}
