//! Typed ids. A prefix says what a thing is, the rest says which one.
//!
//! Published clients parse two of the prefixes (`tmpl_`, `tb_`), and insert most ids into paths
//! unescaped (spec api §1.8), so an id holds only ASCII letters, digits and `_`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The most characters an id may have.
pub const ID_MAX: usize = 96;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id: expected `{prefix}` and up to {ID_MAX} letters, digits or `_`")]
pub struct InvalidId {
    pub kind: &'static str,
    pub prefix: &'static str,
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// Takes a text that came from outside.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let body = text.strip_prefix($prefix).unwrap_or("");
                let legal = !body.is_empty()
                    && text.len() <= ID_MAX
                    && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if legal {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId { kind: $kind, prefix: $prefix, text: text.chars().take(ID_MAX).collect() })
                }
            }

            /// Puts the prefix before a body that is known to be legal.
            pub fn from_body(body: &str) -> Self {
                Self::parse(&format!("{}{body}", $prefix)).expect("an id body is letters, digits and `_`")
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(/// Whose things these are. One namespace of templates each.
    TenantId, "ten_", "tenant");
id!(/// What a tenant holds: a machine while it runs, and a row for ever after.
    SandboxId, "sb_", "sandbox");
id!(/// A logical template.
    TemplateId, "tmpl_", "template");
id!(/// One attempt to make an artifact of a template.
    BuildId, "tb_", "build");
id!(/// Ready capacity that a tenant owns.
    WarmPoolId, "twp_", "warm pool");
id!(/// A machine on a node.
    InstanceId, "ins_", "instance");
id!(/// A host that runs machines.
    NodeId, "node_", "node");
id!(/// What a build made: the digest of its manifest, so equal contents are one artifact.
    ArtifactId, "art_", "artifact");
id!(/// A short reservation of a template name.
    ClaimToken, "clm_", "name claim");
id!(/// An API key's handle; never the key itself.
    KeyId, "key_", "key");
id!(/// A permission to reach one port of one sandbox.
    PreviewGrantId, "pvg_", "preview grant");

/// Where new ids come from. The caller brings the randomness, so a simulation is repeatable.
#[derive(Debug, Clone)]
pub struct Ids {
    seed: u128,
    made: u64,
}

impl Ids {
    /// `seed` must be unpredictable in production: sandbox ids appear in host names.
    pub fn from_seed(seed: u128) -> Self {
        Self { seed, made: 0 }
    }

    /// 26 characters of lower-case Crockford base 32, 128 bits.
    pub fn body(&mut self) -> String {
        use sha2::{Digest, Sha256};
        self.made += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.made.to_be_bytes());
        let digest = hash.finalize();
        let mut value = u128::from_be_bytes(digest[..16].try_into().expect("16 bytes"));
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut text = [0u8; 26];
        for slot in text.iter_mut().rev() {
            *slot = ALPHABET[(value & 31) as usize];
            value >>= 5;
        }
        String::from_utf8(text.to_vec()).expect("the alphabet is ASCII")
    }

    pub fn instance(&mut self) -> InstanceId {
        InstanceId::from_body(&self.body())
    }

    pub fn sandbox(&mut self) -> SandboxId {
        SandboxId::from_body(&self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_prefix_and_refuses_what_a_path_would_need_to_escape() {
        assert_eq!(SandboxId::parse("sb_1").unwrap().as_str(), "sb_1");
        for bad in ["", "sb_", "tb_1", "sb_a/b", "sb_a%2F", "sb_é", &format!("sb_{}", "x".repeat(100))] {
            assert!(SandboxId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_ids_and_no_id_twice() {
        let (mut a, mut b) = (Ids::from_seed(7), Ids::from_seed(7));
        let first: Vec<_> = (0..1000).map(|_| a.body()).collect();
        let second: Vec<_> = (0..1000).map(|_| b.body()).collect();
        assert_eq!(first, second);
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), 1000);
    }
}
