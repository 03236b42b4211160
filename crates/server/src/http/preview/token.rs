//! What a preview URL carries: `grant.sandbox.port.expiry.signature`.
//!
//! The signature is HMAC-SHA-256 over the rest, so a token says for itself what it is for; whether
//! its grant was revoked is looked up.

use super::grants::Grant;
use super::key::Key;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use nullspace_domain::{PreviewGrantId, SandboxId, Timestamp};
use sha2::Sha256;

/// The query parameter that carries a token.
pub const QUERY: &str = "edge_token";
/// A token is about 150 bytes.
const TOKEN_MAX: usize = 512;

/// What a good token permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    pub grant: PreviewGrantId,
    pub sandbox: SandboxId,
    pub port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// Not a token, or not signed by us.
    Forged,
    Expired,
}

impl Key {
    /// Signs a grant.
    pub fn mint(&self, grant: &Grant) -> String {
        let said = format!("{}.{}.{}.{}", grant.id, grant.sandbox, grant.port, grant.expires_at.as_second());
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&said).finalize().into_bytes());
        format!("{said}.{signature}")
    }

    /// What a token permits, if it is ours and not too old.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Permit, Invalid> {
        if token.len() > TOKEN_MAX {
            return Err(Invalid::Forged);
        }
        let (said, signature) = token.rsplit_once('.').ok_or(Invalid::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid::Forged)?;
        // Compared in constant time.
        self.mac(said).verify_slice(&signature).map_err(|_| Invalid::Forged)?;
        let mut parts = said.split('.');
        let mut part = || parts.next().ok_or(Invalid::Forged);
        let grant = PreviewGrantId::parse(part()?).map_err(|_| Invalid::Forged)?;
        let sandbox = SandboxId::parse(part()?).map_err(|_| Invalid::Forged)?;
        let port = part()?.parse().map_err(|_| Invalid::Forged)?;
        let expiry: i64 = part()?.parse().map_err(|_| Invalid::Forged)?;
        if now.as_second() >= expiry {
            return Err(Invalid::Expired);
        }
        Ok(Permit { grant, sandbox, port })
    }

    fn mac(&self, said: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(said.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn grant() -> Grant {
        Grant {
            id: PreviewGrantId::parse("pvg_1").unwrap(),
            sandbox: SandboxId::parse("sb_1").unwrap(),
            port: 8080,
            issued_at: at(0),
            expires_at: at(100),
            revoked_at: None,
        }
    }

    #[test]
    fn a_token_permits_what_its_grant_says_until_it_expires() {
        let key = Key([7; 32]);
        let token = key.mint(&grant());
        let permit = key.verify(&token, at(99)).unwrap();
        assert_eq!((permit.sandbox.as_str(), permit.port), ("sb_1", 8080));
        assert_eq!(key.verify(&token, at(100)), Err(Invalid::Expired));
    }

    #[test]
    fn a_token_that_was_touched_or_signed_by_another_is_forged() {
        let key = Key([7; 32]);
        let token = key.mint(&grant());
        assert_eq!(Key([8; 32]).verify(&token, at(1)), Err(Invalid::Forged));
        for changed in [
            token.replace("8080", "8081"),
            token.replace("sb_1", "sb_2"),
            token.replace(".100.", ".999."),
            format!("{token}x"),
            String::new(),
            "a.b".into(),
            "x".repeat(10_000),
        ] {
            assert_eq!(key.verify(&changed, at(1)), Err(Invalid::Forged), "{changed}");
        }
    }
}
