//! The closed list of error codes, its pages, and nothing else.

use nullspace_api::error::ErrorCode;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let pages: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").filter(|stem| *stem != "README").map(|stem| stem.replace('-', "_")))
        .collect();
    let codes: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(pages, codes);
}
