//! The permissions that were given, on disk so that a revoked one stays revoked after a restart.
//!
//! One small file, written whole on each change: grants are few, short-lived, and reused.

use super::Error;
use nullspace_domain::{PreviewGrantId, SandboxId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Most grants kept; the oldest goes first, and its URL ends. A thousand sandboxes with ten ports each.
const GRANTS_MAX: usize = 10_000;
/// Most grants of one sandbox, so that nobody crowds out the others.
const GRANTS_OF_SANDBOX_MAX: usize = 100;
/// An expired grant is listed for so long.
const KEPT_AFTER_EXPIRY: std::time::Duration = std::time::Duration::from_secs(3600);

/// A permission to reach one port of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: PreviewGrantId,
    pub sandbox: SandboxId,
    pub port: u16,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// All grants. The file is the second copy; this is the one that decides.
pub struct Grants {
    path: PathBuf,
    all: Mutex<BTreeMap<PreviewGrantId, Grant>>,
}

impl Grants {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let all: Vec<Grant> = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Damaged { path: path.to_owned(), detail: error.to_string() })?,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::Files { path: path.to_owned(), source }),
        };
        let all = all.into_iter().map(|grant| (grant.id.clone(), grant)).collect();
        Ok(Self { path: path.to_owned(), all: Mutex::new(all) })
    }

    /// Whether a grant may be used; one that is not known may not.
    pub fn is_active(&self, id: &PreviewGrantId) -> bool {
        self.with(|all| all.get(id).is_some_and(|grant| grant.revoked_at.is_none()))
    }

    pub fn insert(&self, grant: Grant, now: Timestamp) -> Result<(), Error> {
        self.change(|all| {
            let oldest_kept = now.saturating_sub(KEPT_AFTER_EXPIRY).unwrap_or(Timestamp::MIN);
            all.retain(|_, grant| grant.expires_at > oldest_kept);
            let of_sandbox = all.values().filter(|other| other.sandbox == grant.sandbox).count();
            let makes_room = |other: &&Grant| of_sandbox < GRANTS_OF_SANDBOX_MAX || other.sandbox == grant.sandbox;
            if all.len() >= GRANTS_MAX || of_sandbox >= GRANTS_OF_SANDBOX_MAX {
                let oldest = all.values().filter(makes_room).min_by_key(|other| other.issued_at);
                if let Some(oldest) = oldest.map(|other| other.id.clone()) {
                    all.remove(&oldest);
                }
            }
            all.insert(grant.id.clone(), grant);
        })
    }

    /// An active grant for this port that lasts beyond `until`.
    pub fn lasting(&self, sandbox: &SandboxId, port: u16, until: Timestamp) -> Option<Grant> {
        self.with(|all| {
            all.values()
                .filter(|grant| grant.sandbox == *sandbox && grant.port == port)
                .find(|grant| grant.revoked_at.is_none() && grant.expires_at > until)
                .cloned()
        })
    }

    /// Newest first.
    pub fn of(&self, sandbox: &SandboxId, port: Option<u16>) -> Vec<Grant> {
        let mut found: Vec<Grant> = self.with(|all| {
            all.values()
                .filter(|grant| grant.sandbox == *sandbox && port.is_none_or(|port| grant.port == port))
                .cloned()
                .collect()
        });
        found.sort_by(|a, b| (b.issued_at, &b.id).cmp(&(a.issued_at, &a.id)));
        found
    }

    /// Ends a grant of this sandbox; one that is revoked already stays as it is.
    pub fn revoke(&self, sandbox: &SandboxId, id: &str, now: Timestamp) -> Result<Option<Grant>, Error> {
        let Ok(id) = PreviewGrantId::parse(id) else { return Ok(None) };
        self.change(|all| {
            let grant = all.get_mut(&id).filter(|grant| grant.sandbox == *sandbox)?;
            grant.revoked_at.get_or_insert(now);
            Some(grant.clone())
        })
    }

    fn with<T>(&self, look: impl FnOnce(&BTreeMap<PreviewGrantId, Grant>) -> T) -> T {
        look(&self.all.lock().expect("nothing panics while it looks at grants"))
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<PreviewGrantId, Grant>) -> T) -> Result<T, Error> {
        let mut all = self.all.lock().expect("nothing panics while it changes grants");
        let result = change(&mut all);
        let list: Vec<&Grant> = all.values().collect();
        let json = serde_json::to_vec(&list).expect("a grant is plain JSON");
        let failed = |source| Error::Files { path: self.path.clone(), source };
        let beside = self.path.with_extension("new");
        fs::write(&beside, json).map_err(failed)?;
        fs::rename(&beside, &self.path).map_err(failed)?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn grant(id: &str, issued: i64, expires: i64) -> Grant {
        Grant {
            id: PreviewGrantId::parse(id).unwrap(),
            sandbox: SandboxId::parse("sb_1").unwrap(),
            port: 80,
            issued_at: at(issued),
            expires_at: at(expires),
            revoked_at: None,
        }
    }

    #[test]
    fn a_revoked_grant_stays_revoked_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("grants.json");
        let grants = Grants::open(&path).unwrap();
        let (kept, gone) = (grant("pvg_a", 1, 100), grant("pvg_b", 2, 100));
        grants.insert(kept.clone(), at(1)).unwrap();
        grants.insert(gone.clone(), at(2)).unwrap();
        let other = SandboxId::parse("sb_other").unwrap();
        assert_eq!(grants.revoke(&other, "pvg_b", at(3)).unwrap(), None);
        assert!(grants.revoke(&gone.sandbox, "pvg_b", at(3)).unwrap().unwrap().revoked_at.is_some());

        let again = Grants::open(&path).unwrap();
        assert!(again.is_active(&kept.id));
        assert!(!again.is_active(&gone.id));
        let listed: Vec<_> = again.of(&kept.sandbox, Some(80)).into_iter().map(|grant| grant.id).collect();
        assert_eq!(listed, [gone.id, kept.id.clone()]);
        assert_eq!(again.lasting(&kept.sandbox, 80, at(50)).unwrap().id, kept.id);
        assert_eq!(again.lasting(&kept.sandbox, 80, at(100)), None);
    }

    #[test]
    fn a_sandbox_with_many_grants_loses_its_own_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let grants = Grants::open(&directory.path().join("grants.json")).unwrap();
        let other = Grant { sandbox: SandboxId::parse("sb_2").unwrap(), ..grant("pvg_other", 0, 1000) };
        grants.insert(other.clone(), at(0)).unwrap();
        for number in 0..=GRANTS_OF_SANDBOX_MAX as i64 {
            grants.insert(grant(&format!("pvg_{number}"), number + 1, 1000), at(number + 1)).unwrap();
        }
        let listed = grants.of(&SandboxId::parse("sb_1").unwrap(), None);
        assert_eq!(listed.len(), GRANTS_OF_SANDBOX_MAX);
        assert!(!grants.is_active(&PreviewGrantId::parse("pvg_0").unwrap()));
        assert!(grants.is_active(&other.id));
    }
}
