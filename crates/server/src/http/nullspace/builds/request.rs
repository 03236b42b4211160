//! Words and numbers of a build request that other endpoints use too. The request itself is read by the
//! domain, which reports every problem in it at once.

use nullspace_api::builds::BuildBackend;

/// The word on the wire.
pub fn backend_name(backend: BuildBackend) -> &'static str {
    match backend {
        BuildBackend::Native => "native",
        BuildBackend::Buildkit => "buildkit",
    }
}

/// Three or four octal digits.
pub fn octal(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if digits { u32::from_str_radix(text, 8).ok() } else { None }
}
