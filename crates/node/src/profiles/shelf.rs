//! Where profiles lie, which are in use, and which go when the disk they may take is full.

use super::Card;
use crate::driver::Error;
use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

const CARD: &str = "profile.json";
const MAKING: &str = ".making";

/// The directory of profiles.
#[derive(Debug)]
pub struct Shelf {
    root: PathBuf,
    in_use: Mutex<BTreeMap<String, u32>>,
}

impl Shelf {
    pub fn open(root: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(Error::file("make the directory", root))?;
        for entry in fs::read_dir(root).map_err(Error::file("list", root))?.flatten() {
            let path = entry.path();
            // Without its card a profile was never finished, or is half removed.
            if !path.join(CARD).is_file() || path.to_string_lossy().ends_with(MAKING) {
                fs::remove_dir_all(&path).map_err(Error::file("remove", &path))?;
            }
        }
        Ok(Self { root: root.to_owned(), in_use: Mutex::default() })
    }

    /// Where a profile is when it is there.
    pub fn place(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// An empty directory to make a profile in.
    pub fn workbench(&self, key: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(format!("{key}{MAKING}"));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &path)(error));
            }
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(Error::file("make the directory", &path))?;
        Ok(path)
    }

    /// The card of a profile that is in its place.
    pub fn card(&self, key: &str) -> Option<Card> {
        serde_json::from_slice(&fs::read(self.place(key).join(CARD)).ok()?).ok()
    }

    /// Puts a finished profile into its place, so that it is there as a whole and after a power cut.
    pub fn put(&self, key: &str, workbench: &Path, card: &Card) -> Result<PathBuf, Error> {
        let path = workbench.join(CARD);
        fs::write(&path, serde_json::to_vec(card).expect("plain data")).map_err(Error::file("write", &path))?;
        for entry in fs::read_dir(workbench).map_err(Error::file("list", workbench))? {
            sync(&entry.map_err(Error::file("list", workbench))?.path())?;
        }
        sync(workbench)?;
        let place = self.place(key);
        // One that could not be read stands in the way.
        if place.exists() {
            fs::remove_dir_all(&place).map_err(Error::file("remove", &place))?;
        }
        fs::rename(workbench, &place).map_err(Error::file("keep the profile", &place))?;
        sync(&self.root)?;
        Ok(place)
    }

    pub fn hold(&self, key: &str) {
        *self.uses().entry(key.to_owned()).or_default() += 1;
        // The time of the last use decides which profile goes first. Nothing depends on its truth.
        if let Ok(card) = File::options().append(true).open(self.place(key).join(CARD)) {
            let _ = card.set_times(FileTimes::new().set_modified(SystemTime::now()));
        }
    }

    pub fn release(&self, key: &str) {
        let mut uses = self.uses();
        match uses.get_mut(key) {
            Some(1) | None => drop(uses.remove(key)),
            Some(count) => *count -= 1,
        }
    }

    /// Removes profiles until the rest fit, those used longest ago first. Gives what was removed.
    pub fn evict(&self, budget_bytes: u64) -> Vec<PathBuf> {
        let mut all: Vec<_> =
            self.all().into_iter().map(|(key, _)| (self.last_use(&key), self.bytes(&key), key)).collect();
        all.sort();
        let mut total: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
        let mut removed = Vec::new();
        for (_, bytes, key) in all {
            if total <= budget_bytes {
                break;
            }
            if let Some(path) = self.remove(&key) {
                total -= bytes;
                removed.push(path);
            }
        }
        removed
    }

    /// Removes profiles that are neither kept nor in use. Gives what was removed.
    pub fn sweep(&self, keep: impl Fn(&Card) -> bool) -> Vec<PathBuf> {
        self.all().into_iter().filter(|(_, card)| !keep(card)).filter_map(|(key, _)| self.remove(&key)).collect()
    }

    /// The card goes first: without it the rest is not a profile.
    fn remove(&self, key: &str) -> Option<PathBuf> {
        let uses = self.uses();
        if uses.contains_key(key) {
            return None;
        }
        let place = self.place(key);
        fs::remove_file(place.join(CARD)).ok()?;
        drop(uses);
        // What could not be removed is, at the next start.
        let _ = fs::remove_dir_all(&place);
        Some(place)
    }

    fn all(&self) -> Vec<(String, Card)> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let keys = entries.filter_map(|entry| entry.file_name().into_string().ok());
        keys.filter(|key| !key.ends_with(MAKING))
            .filter_map(|key| Some((self.card(&key)?, key)))
            .map(|(c, k)| (k, c))
            .collect()
    }

    fn last_use(&self, key: &str) -> SystemTime {
        let card = fs::metadata(self.place(key).join(CARD));
        card.and_then(|card| card.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn bytes(&self, key: &str) -> u64 {
        let files = fs::read_dir(self.place(key)).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.blocks() * 512).sum()
    }

    fn uses(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.in_use.lock().expect("nothing panics while holding the counts")
    }
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::file("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::Size;
    use nullspace_domain::ArtifactId;

    fn card(artifact: &str) -> Card {
        Card {
            artifact: ArtifactId::from_body(artifact),
            size: Size { vcpus: 1, memory_mb: 128 },
            disk_mb: 64,
            compatibility: "c".into(),
        }
    }

    fn put(shelf: &Shelf, key: &str, bytes: usize) {
        let bench = shelf.workbench(key).unwrap();
        fs::write(bench.join("memory"), vec![1; bytes]).unwrap();
        shelf.put(key, &bench, &card(key)).unwrap();
    }

    #[test]
    fn the_profile_used_longest_ago_goes_first_and_one_in_use_never() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(root.path()).unwrap();
        for (age, key) in [(300, "old"), (200, "held"), (100, "new")] {
            put(&shelf, key, 1 << 20);
            let used = SystemTime::now() - std::time::Duration::from_secs(age);
            let card = File::options().append(true).open(shelf.place(key).join(CARD)).unwrap();
            card.set_times(FileTimes::new().set_modified(used)).unwrap();
        }
        assert!(shelf.evict(4 << 20).is_empty());
        assert_eq!(shelf.evict((2 << 20) + (1 << 19)), [shelf.place("old")]);
        shelf.hold("held");
        assert_eq!(shelf.evict(0), [shelf.place("new")]);
        shelf.release("held");
        assert_eq!(shelf.evict(0), [shelf.place("held")]);
    }

    #[test]
    fn an_unfinished_profile_does_not_survive_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(root.path()).unwrap();
        put(&shelf, "whole", 1);
        fs::write(shelf.workbench("half").unwrap().join("memory"), "m").unwrap();
        fs::create_dir(root.path().join("cardless")).unwrap();
        let shelf = Shelf::open(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(shelf.card("whole"), Some(card("whole")));
    }

    #[test]
    fn profiles_of_artifacts_nobody_keeps_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(root.path()).unwrap();
        put(&shelf, "keep", 1);
        put(&shelf, "drop", 1);
        shelf.sweep(|card| card.artifact.as_str() == "art_keep");
        assert!(shelf.card("keep").is_some());
        assert!(shelf.card("drop").is_none());
    }
}
