//! Makes a clone unique. Until the agent has confirmed it, no user process runs in it and nobody may
//! have it.

use crate::agent::Agent;
use crate::driver::Error;
use nullspace_guest::client;
use nullspace_guest::protocol::Renew;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Fresh randomness for one clone: twice what a 256-bit generator can hold.
const ENTROPY_BYTES: usize = 64;

/// What makes one clone unlike any other. Comes from the host's generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uniqueness {
    entropy: Vec<u8>,
    machine_id: String,
    boot_token: String,
}

impl Uniqueness {
    pub fn draw() -> Result<Self, Error> {
        let mut bytes = [0; ENTROPY_BYTES + 32];
        getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable(format!("no random numbers: {error}")))?;
        let (entropy, names) = bytes.split_at(ENTROPY_BYTES);
        Ok(Self {
            entropy: entropy.to_vec(),
            machine_id: hex::encode(&names[..16]),
            boot_token: hex::encode(&names[16..]),
        })
    }
}

/// The present time as guests are told it.
pub fn unix_nanos() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// Renews a clone and gives its proof: the digest of random bytes that it drew afterwards. A clone
/// that does not confirm is an error, and must be destroyed.
pub async fn renew(agent: &Agent, name: &str, within: Duration) -> Result<String, Error> {
    let fresh = Uniqueness::draw()?;
    let request = Renew {
        entropy: fresh.entropy,
        unix_nanos: unix_nanos(),
        machine_id: fresh.machine_id,
        hostname: hostname(name),
        boot_token: fresh.boot_token.clone(),
        // Rises with every restore of anything on any host whose clock is right, which is all that
        // somebody who compares two of them needs.
        generation: unix_nanos().unsigned_abs(),
    };
    let renewed = agent.ask("renew a clone", within, |stream| client::renew(stream, request)).await?;
    if renewed.boot_token == fresh.boot_token && renewed.proof.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(renewed.proof)
    } else {
        Err(Error::Refused { doing: "renew a clone".into(), detail: "it did not confirm".into() })
    }
}

/// A legal host name made of an id.
fn hostname(name: &str) -> String {
    let mut text: String = name.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect();
    text.truncate(63);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_clones_are_given_the_same() {
        let (first, second) = (Uniqueness::draw().unwrap(), Uniqueness::draw().unwrap());
        assert_ne!(first.entropy, second.entropy);
        assert_ne!(first.machine_id, second.machine_id);
        assert_ne!(first.boot_token, second.boot_token);
        assert_eq!(first.machine_id.len(), 32);
    }

    #[test]
    fn an_instance_id_becomes_a_legal_host_name() {
        assert_eq!(hostname("ins_01Ab"), "ins-01ab");
        assert!(hostname(&"x".repeat(90)).len() <= 63);
    }
}
