//! The files of an image after its layers were laid over each other. No IO: a path in a layer is a path in
//! this tree and nowhere else, so nothing a layer says can reach the host's files.
//!
//! Symbolic links in the parents of a path are followed as a machine with this root would follow them, and
//! `..` stops at the root. Whiteouts remove what lower layers put, and never what their own layer put.

use super::tar_reader::{Entry, Kind};
use std::collections::BTreeMap;

/// The longest path that is made. The kernel's limit is 4096, and the host puts a directory before it.
const PATH_MAX: usize = 3500;
/// The kernel's limit for one name.
const NAME_MAX: usize = 255;
/// The kernel's limit for links followed in one path.
const LINKS_MAX: usize = 40;

/// The kernel could do 20 bits, the tool that makes devices on the disk does 16.
const DEVICE_MINOR_MAX: u32 = 65_535;

/// Why an entry has no place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("`{0}` is not a path that can be made")]
    Path(String),
    #[error("`{0}` is a link to `{1}`, which is not there or is a directory")]
    LinkTarget(String, String),
    #[error("`{0}` goes through too many symbolic links")]
    Links(String),
    #[error("`{0}` is a device with a number that no host has")]
    Device(String),
    #[error("the image has more than {0} files")]
    TooMany(usize),
}

/// Who owns a file and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, setuid, setgid and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub modified: i64,
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// An inode: what one or more names in the tree lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub metadata: Metadata,
    pub content: Content,
    /// How many names lead to it.
    links: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Directory(Directory),
    /// Its bytes are kept elsewhere, under its [`NodeId`].
    File,
    Symlink(Vec<u8>),
    Fifo,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub entries: BTreeMap<Vec<u8>, Name>,
    /// How long its own path is.
    path_length: usize,
}

/// A name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    pub node: NodeId,
    /// The layer that put it there last.
    layer: u32,
}

/// Which node; also the key of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

pub const ROOT: NodeId = NodeId(0);

/// The whole of it.
#[derive(Debug)]
pub struct Tree {
    nodes: BTreeMap<NodeId, Node>,
    next: u32,
    most_nodes: usize,
    /// Files that lost their last name, whose bytes nobody needs any more.
    dropped: Vec<NodeId>,
}

impl Tree {
    /// An empty root directory, to hold at most this many nodes.
    pub fn new(most_nodes: usize) -> Self {
        let root = Node { metadata: implied(), content: Content::Directory(Directory::default()), links: 1 };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: 1, most_nodes, dropped: Vec::new() }
    }

    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(&id).expect("a name leads to a node")
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    pub fn entries(&self, directory: NodeId) -> impl Iterator<Item = (&[u8], NodeId)> {
        let entries = self.directory(directory).map(|directory| directory.entries.iter());
        entries.into_iter().flatten().map(|(name, entry)| (name.as_slice(), entry.node))
    }

    /// Files whose bytes are not needed any more, since the last call.
    pub fn take_dropped(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.dropped)
    }

    /// Lays one entry of a layer over what is there. Gives the node whose bytes follow, if it is a file.
    pub fn lay(&mut self, entry: &Entry, layer: u32) -> Result<Option<NodeId>, Refused> {
        let path = clean(&entry.path)?;
        let Some((name, parents)) = path.split_last() else {
            if entry.kind == Kind::Directory {
                self.set_metadata(ROOT, entry);
            }
            return Ok(None); // Whatever else claims to be the root is not.
        };
        let parent = self.walk(parents, layer, &entry.path)?;
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            match hidden {
                b".wh..opq" => self.remove_lower_entries(parent, layer),
                // Bookkeeping of an old union file system.
                _ if hidden.starts_with(b".wh.") => {}
                _ => self.remove_lower(parent, hidden, layer),
            }
            return Ok(None);
        }
        let content = match &entry.kind {
            Kind::Nothing => return Ok(None),
            Kind::HardLink(target) => return self.lay_hard_link(parent, name, target, entry, layer).map(|()| None),
            Kind::Directory => return self.lay_directory(parent, name, entry, layer).map(|()| None),
            Kind::File => Content::File,
            Kind::Symlink(to) if to.is_empty() || to.len() > 4095 || to.contains(&0) => {
                return Err(Refused::Path(text(&entry.path)));
            }
            Kind::Symlink(to) => Content::Symlink(to.clone()),
            Kind::Fifo => Content::Fifo,
            Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor }
                if *major > 4095 || *minor > DEVICE_MINOR_MAX =>
            {
                return Err(Refused::Device(text(&entry.path)));
            }
            Kind::CharacterDevice { major, minor } => Content::CharacterDevice { major: *major, minor: *minor },
            Kind::BlockDevice { major, minor } => Content::BlockDevice { major: *major, minor: *minor },
        };
        let is_file = content == Content::File;
        let node = self.add(metadata(entry), content)?;
        self.put(parent, name, node, layer, &entry.path)?;
        Ok(is_file.then_some(node))
    }

    /// Makes a directory unless something of that name is there.
    pub fn ensure_directory(&mut self, name: &[u8], mode: u32) -> Result<(), Refused> {
        let is_there = self.directory(ROOT).is_some_and(|root| root.entries.contains_key(name));
        if !is_there {
            let node = self.add(Metadata { mode, ..implied() }, Content::Directory(Directory::default()))?;
            self.put(ROOT, name, node, 0, name)?;
        }
        Ok(())
    }

    fn lay_directory(&mut self, parent: NodeId, name: &[u8], entry: &Entry, layer: u32) -> Result<(), Refused> {
        let existing = self.entry(parent, name).filter(|node| self.directory(*node).is_some());
        let node = match existing {
            Some(node) => {
                self.set_metadata(node, entry);
                node
            }
            None => self.add(metadata(entry), Content::Directory(Directory::default()))?,
        };
        self.put(parent, name, node, layer, &entry.path)
    }

    fn lay_hard_link(
        &mut self,
        parent: NodeId,
        name: &[u8],
        target: &[u8],
        entry: &Entry,
        layer: u32,
    ) -> Result<(), Refused> {
        let missing = || Refused::LinkTarget(text(&entry.path), text(target));
        let target_path = clean(target)?;
        let (target_name, target_parents) = target_path.split_last().ok_or_else(missing)?;
        let target_parent = self.find(target_parents, target)?.ok_or_else(missing)?;
        let node = self.entry(target_parent, target_name).ok_or_else(missing)?;
        if self.directory(node).is_some() {
            return Err(missing());
        }
        self.put(parent, name, node, layer, &entry.path)
    }

    /// Gives a node a name, in place of what had it.
    fn put(&mut self, parent: NodeId, name: &[u8], node: NodeId, layer: u32, path: &[u8]) -> Result<(), Refused> {
        let parent_length = self.directory(parent).map_or(0, |directory| directory.path_length);
        let path_length = parent_length + 1 + name.len();
        if path_length > PATH_MAX || name.len() > NAME_MAX {
            return Err(Refused::Path(text(path)));
        }
        let added = self.nodes.get_mut(&node).expect("a node to be named is there");
        added.links += 1; // Before the old name goes: it may be the only other name of the same node.
        if let Content::Directory(directory) = &mut added.content {
            directory.path_length = path_length;
        }
        let replaced = self.directory_mut(parent).entries.insert(name.to_vec(), Name { node, layer });
        if let Some(replaced) = replaced {
            self.unlink(replaced.node);
        }
        Ok(())
    }

    /// The directory at a path whose parents may be links, made where it is missing.
    fn walk(&mut self, path: &[Vec<u8>], layer: u32, entry: &[u8]) -> Result<NodeId, Refused> {
        let mut at = vec![ROOT];
        let mut ahead: Vec<Vec<u8>> = path.iter().rev().cloned().collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let here = *at.last().expect("the root stays");
            match self.step(here, &name, &mut at, &mut ahead, &mut links, entry)? {
                Step::Taken => {}
                // A file in the way of a path is replaced by the directory that the path needs.
                Step::Blocked => {
                    let node = self.add(implied(), Content::Directory(Directory::default()))?;
                    self.put(here, &name, node, layer, entry)?;
                    at.push(node);
                }
            }
        }
        Ok(*at.last().expect("the root stays"))
    }

    /// Like [`Self::walk`], but makes nothing.
    fn find(&self, path: &[Vec<u8>], entry: &[u8]) -> Result<Option<NodeId>, Refused> {
        let mut at = vec![ROOT];
        let mut ahead: Vec<Vec<u8>> = path.iter().rev().cloned().collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            let here = *at.last().expect("the root stays");
            if let Step::Blocked = self.step(here, &name, &mut at, &mut ahead, &mut links, entry)? {
                return Ok(None);
            }
        }
        Ok(at.last().copied())
    }

    fn step(
        &self,
        here: NodeId,
        name: &[u8],
        at: &mut Vec<NodeId>,
        ahead: &mut Vec<Vec<u8>>,
        links: &mut usize,
        entry: &[u8],
    ) -> Result<Step, Refused> {
        if name == b".." {
            if at.len() > 1 {
                at.pop();
            }
            return Ok(Step::Taken);
        }
        let Some(next) = self.entry(here, name) else { return Ok(Step::Blocked) };
        match &self.node(next).content {
            Content::Directory(_) => at.push(next),
            Content::Symlink(target) => {
                *links += 1;
                if *links > LINKS_MAX {
                    return Err(Refused::Links(text(entry)));
                }
                if target.starts_with(b"/") {
                    at.truncate(1);
                }
                let parts = target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
                ahead.extend(parts.rev().map(<[u8]>::to_vec));
            }
            _ => return Ok(Step::Blocked),
        }
        Ok(Step::Taken)
    }

    /// Removes what lower layers put under a name; a directory stays as far as this layer put something into it.
    fn remove_lower(&mut self, parent: NodeId, name: &[u8], layer: u32) {
        let Some(entry) = self.directory(parent).and_then(|directory| directory.entries.get(name)).copied() else {
            return;
        };
        let is_directory = self.directory(entry.node).is_some();
        if is_directory {
            self.remove_lower_entries(entry.node, layer);
        }
        let keeps_something = self.directory(entry.node).is_some_and(|directory| !directory.entries.is_empty());
        if entry.layer < layer && !keeps_something {
            self.directory_mut(parent).entries.remove(name);
            self.unlink(entry.node);
        }
    }

    fn remove_lower_entries(&mut self, directory: NodeId, layer: u32) {
        let names: Vec<_> =
            self.directory(directory).map(|directory| directory.entries.keys().cloned().collect()).unwrap_or_default();
        for name in names {
            self.remove_lower(directory, &name, layer);
        }
    }

    /// Takes a name off a node, and the node away with its last one.
    fn unlink(&mut self, node: NodeId) {
        let mut pending = vec![node];
        while let Some(id) = pending.pop() {
            let node = self.nodes.get_mut(&id).expect("a name leads to a node");
            node.links -= 1;
            if node.links > 0 {
                continue;
            }
            match self.nodes.remove(&id).map(|node| node.content) {
                Some(Content::Directory(directory)) => pending.extend(directory.entries.values().map(|name| name.node)),
                Some(Content::File) => self.dropped.push(id),
                _ => {}
            }
        }
    }

    fn add(&mut self, metadata: Metadata, content: Content) -> Result<NodeId, Refused> {
        if self.nodes.len() >= self.most_nodes {
            return Err(Refused::TooMany(self.most_nodes));
        }
        let id = NodeId(self.next);
        self.next = self.next.checked_add(1).ok_or(Refused::TooMany(self.most_nodes))?;
        self.nodes.insert(id, Node { metadata, content, links: 0 });
        Ok(id)
    }

    fn set_metadata(&mut self, node: NodeId, entry: &Entry) {
        self.nodes.get_mut(&node).expect("a name leads to a node").metadata = metadata(entry);
    }

    fn entry(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        Some(self.directory(parent)?.entries.get(name)?.node)
    }

    fn directory(&self, id: NodeId) -> Option<&Directory> {
        match &self.node(id).content {
            Content::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    fn directory_mut(&mut self, id: NodeId) -> &mut Directory {
        match &mut self.nodes.get_mut(&id).expect("a name leads to a node").content {
            Content::Directory(directory) => directory,
            _ => unreachable!("only directories are walked into"),
        }
    }
}

enum Step {
    Taken,
    /// Nothing of that name is there that could be walked into.
    Blocked,
}

/// A directory that a path needed and no entry described.
fn implied() -> Metadata {
    Metadata { mode: 0o755, uid: 0, gid: 0, modified: 0, attributes: BTreeMap::new() }
}

fn metadata(entry: &Entry) -> Metadata {
    Metadata {
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        modified: entry.modified,
        attributes: entry.attributes.clone(),
    }
}

/// The parts of a path, without `.` and with `..` taken back as text, as the tools that make layers do.
fn clean(path: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
    if path.len() > 4096 || path.contains(&0) {
        return Err(Refused::Path(text(path)));
    }
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part.to_vec()),
        }
    }
    Ok(parts)
}

fn text(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(200)]).into_owned()
}
