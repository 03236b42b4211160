//! Builds the guest agent into the program when `NULLSPACE_GUEST_AGENT` names its file.
//!
//! Without it everything compiles as well, and the agent is looked for at run time.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(nullspace_agent_embedded)");
    println!("cargo::rerun-if-env-changed=NULLSPACE_GUEST_AGENT");
    let Some(path) = std::env::var_os("NULLSPACE_GUEST_AGENT").filter(|path| !path.is_empty()) else { return };
    let path = std::path::absolute(&path).expect("the working directory is known");
    println!("cargo::rerun-if-changed={}", path.display());
    assert!(path.is_file(), "NULLSPACE_GUEST_AGENT names `{}`, which is not a file", path.display());
    println!("cargo::rustc-cfg=nullspace_agent_embedded");
    println!("cargo::rustc-env=NULLSPACE_GUEST_AGENT_EMBEDDED={}", path.display());
}
