//! Who runs a program or owns a file: names of the guest's own `/etc/passwd` and `/etc/group`.
//!
//! The files are read here and not through the C library, which in a static program needs the very
//! libraries that a guest may not have.

use super::fail;
use crate::protocol::{Failure, FailureCode};
use std::path::{Path, PathBuf};

/// Bytes of a user database that are looked at.
const DATABASE_MAX: u64 = 1024 * 1024;

/// Who to act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    pub name: String,
    pub home: PathBuf,
}

impl Identity {
    pub fn root() -> Identity {
        Identity { uid: 0, gid: 0, groups: Vec::new(), name: "root".into(), home: "/root".into() }
    }
}

/// The guest's users and groups.
#[derive(Debug, Default)]
pub struct Users {
    passwd: String,
    group: String,
}

impl Users {
    /// Reads what there is: an image without these files has only numbers.
    pub fn load() -> Users {
        Users { passwd: read(Path::new("/etc/passwd")), group: read(Path::new("/etc/group")) }
    }

    /// Finds a user by name, `uid` or `uid:gid`; none means root.
    pub fn resolve(&self, user: Option<&str>) -> Result<Identity, Failure> {
        let Some(user) = user.filter(|user| !user.is_empty()) else {
            return self.resolve(Some("0"));
        };
        let (who, group) = match user.split_once(':') {
            Some((who, group)) => (who, Some(group)),
            None => (user, None),
        };
        let entry = self.entries().find(|entry| entry.name == who || Some(entry.uid) == number(who));
        let mut identity = match (entry, number(who)) {
            (Some(entry), _) => Identity {
                uid: entry.uid,
                gid: entry.gid,
                groups: self.groups_of(entry.name),
                name: entry.name.into(),
                home: if entry.home.is_empty() { "/".into() } else { entry.home.into() },
            },
            (None, Some(0)) => Identity::root(),
            (None, Some(uid)) => Identity { uid, gid: uid, groups: Vec::new(), name: who.into(), home: "/".into() },
            (None, None) => {
                return Err(fail(FailureCode::InvalidRequest, format!("the guest has no user `{who}`")));
            }
        };
        if let Some(group) = group {
            identity.gid = number(group)
                .or_else(|| self.group_id(group))
                .ok_or_else(|| fail(FailureCode::InvalidRequest, format!("the guest has no group `{group}`")))?;
        }
        Ok(identity)
    }

    /// The name of a user, or its number.
    pub fn user_name(&self, uid: u32) -> String {
        self.entries().find(|entry| entry.uid == uid).map_or_else(|| uid.to_string(), |entry| entry.name.into())
    }

    /// The name of a group, or its number.
    pub fn group_name(&self, gid: u32) -> String {
        let found = self
            .group
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.get(2).and_then(|id| number(id)) == Some(gid));
        found.map_or_else(|| gid.to_string(), |fields| fields[0].into())
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.passwd.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
            Some(Entry { name, uid: number(uid)?, gid: number(gid)?, home })
        })
    }

    fn groups_of(&self, name: &str) -> Vec<u32> {
        let lines = self.group.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [_, _, gid, members, ..] = fields[..] else { return None };
            members.split(',').any(|member| member == name).then(|| number(gid)).flatten()
        });
        // The kernel's own limit.
        lines.take(65_536).collect()
    }

    fn group_id(&self, name: &str) -> Option<u32> {
        self.group
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find_map(|fields| if fields.first() == Some(&name) { number(fields.get(2)?) } else { None })
    }
}

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn number(text: &str) -> Option<u32> {
    // The last number means "leave as it is" to the kernel.
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn read(path: &Path) -> String {
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    let mut bytes = Vec::new();
    // A guest may have put a pipe there, and opening it would wait for ever.
    if let Ok(file) = std::fs::File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
        // What cannot be read is as if it were not there.
        let _ = file.take(DATABASE_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        Users {
            passwd: "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001::/home/app:/bin/sh\n".into(),
            group: "root:x:0:\nstaff:x:50:app,other\napp:x:1001:\naudio:x:29:apple\n".into(),
        }
    }

    #[test]
    fn a_user_is_found_by_name_and_by_number_with_its_groups() {
        let app = Identity { uid: 1000, gid: 1001, groups: vec![50], name: "app".into(), home: "/home/app".into() };
        assert_eq!(users().resolve(Some("app")).unwrap(), app);
        assert_eq!(users().resolve(Some("1000")).unwrap(), app);
        assert_eq!(users().resolve(Some("app:staff")).unwrap().gid, 50);
        assert_eq!(users().resolve(Some("app:7")).unwrap().gid, 7);
    }

    #[test]
    fn a_number_needs_no_entry_and_nobody_is_root() {
        let stranger = users().resolve(Some("4711:12")).unwrap();
        assert_eq!((stranger.uid, stranger.gid, stranger.groups.len()), (4711, 12, 0));
        assert_eq!(users().resolve(None).unwrap().uid, 0);
        assert_eq!(Users::default().resolve(None).unwrap(), Identity::root());
    }

    #[test]
    fn an_unknown_name_is_refused_by_name() {
        let refused = users().resolve(Some("ghost")).unwrap_err();
        assert_eq!(refused.message, "the guest has no user `ghost`");
        assert!(users().resolve(Some("app:ghosts")).is_err());
        assert!(users().resolve(Some("4294967295")).is_err());
    }
}
