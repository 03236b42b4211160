//! Puts a host together, in the order in which the parts need each other.

use super::{LocalNode, Settings};
use crate::artifacts::ArtifactStore;
use crate::builder::{self, Builder};
use crate::driver::{self, Driver};
use crate::images::ImageStore;
use crate::journal::Journal;
use crate::kernel::GuestSystem;
use crate::machines::Machines;
use crate::microvm::{Host, MicrovmDriver};
use crate::network::{EgressNetwork, find_program};
use crate::profiles::Profiles;
use nullspace_domain::NodeId;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Why a host cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot {doing} `{path}`", path = path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no `qemu-system-x86_64` on this host: install `qemu-system-x86` and `qemu-utils`")]
    NoQemu,
    #[error("cannot set up machines")]
    Driver(#[from] driver::Error),
    #[error("cannot open the image store: {0}")]
    Images(#[from] crate::api::ImageError),
    #[error("cannot open the artifact store")]
    Artifacts(#[from] crate::artifacts::Error),
    #[error(transparent)]
    Builder(#[from] builder::OpenError),
}

impl LocalNode {
    /// Opens the host in `settings.data_dir`, making it if needed. Machines of an earlier server are found
    /// again; what it left half-made is removed.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let directory = settings.data_dir.clone();
        std::fs::create_dir_all(&directory).map_err(at("make the directory", &directory))?;
        let directory = directory.canonicalize().map_err(at("resolve", &directory))?;
        let below = |name: &str| directory.join(name);
        let id = node_id(&below("node-id"))?;
        let qemu = settings.qemu.clone().or_else(|| find_program("qemu-system-x86_64")).ok_or(OpenError::NoQemu)?;

        let (system_settings, network_settings) = (settings.system.clone(), settings.network.clone());
        let network_directory = below("network");
        // Reads some 30 MB and starts processes.
        let prepared = tokio::task::spawn_blocking(move || {
            let system = GuestSystem::assemble(&system_settings)?;
            Ok::<_, driver::Error>((system, EgressNetwork::open(&network_directory, network_settings)))
        });
        let (system, network) = prepared.await.expect("preparing does not panic")?;
        let network = Arc::new(network);
        let journal = Journal::open(&below("machines"), settings.uids)?;
        let host = Host::probe(qemu.as_os_str(), &system, &journal, &below("host.json")).await?;
        let driver: Arc<dyn Driver> = Arc::new(MicrovmDriver::new(qemu.into(), system, host, network.clone()));

        let images = Arc::new(ImageStore::open(&below("images"), settings.images.clone())?);
        let artifacts = Arc::new(ArtifactStore::open(&below("artifacts"))?);
        let profiles = Profiles::open(&below("profiles"), driver.clone(), journal.clone(), settings.profiles.clone())?;
        let profiles = Arc::new(profiles);
        // Ends what an interrupted build left running, so it comes before the builder removes its files.
        let machines = Machines::open(driver.clone(), journal.clone(), profiles.clone()).await?;
        let parts = builder::Parts {
            driver: driver.clone(),
            journal,
            images: images.clone(),
            artifacts: artifacts.clone(),
            profiles: profiles.clone(),
        };
        let builder = Arc::new(Builder::open(&below("builds"), parts, settings.builds.clone())?);
        Ok(Self {
            id,
            directory,
            driver,
            network,
            images,
            artifacts,
            profiles,
            machines,
            builder,
            building: Arc::new(Semaphore::new(settings.builds_max)),
            bases: Arc::default(),
            verified: Mutex::default(),
            closing: Default::default(),
            settings,
        })
    }
}

/// This host's id, made once.
fn node_id(path: &Path) -> Result<NodeId, OpenError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            if let Ok(id) = NodeId::parse(text.trim()) {
                return Ok(id);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at("read", path)(error)),
    }
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).expect("the system gives random bytes");
    let id = NodeId::from_body(&nullspace_domain::Ids::from_seed(u128::from_le_bytes(seed)).body());
    let next = path.with_extension("next");
    let write = || {
        let mut file = std::fs::File::create(&next)?;
        file.write_all(id.as_str().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, path)
    };
    write().map_err(at("write", path))?;
    Ok(id)
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_keeps_its_id_and_a_damaged_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node-id");
        let id = node_id(&path).unwrap();
        assert_eq!(node_id(&path).unwrap(), id);
        std::fs::write(&path, "").unwrap();
        assert_ne!(node_id(&path).unwrap(), id);
    }
}
