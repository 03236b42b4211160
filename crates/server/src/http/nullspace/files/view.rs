//! Files as clients see them. Strict: not one key more.

use nullspace_api::Timestamp;
use nullspace_api::files::{FileInfo, FileType};
use nullspace_guest::protocol;

pub fn file(file: protocol::File) -> FileInfo {
    let kind = match file.kind {
        protocol::FileType::Dir => FileType::Dir,
        protocol::FileType::Symlink => FileType::Symlink,
        // The published list knows no sockets or devices.
        protocol::FileType::File | protocol::FileType::Other => FileType::File,
    };
    FileInfo {
        name: file.name,
        path: file.path,
        is_dir: kind == FileType::Dir,
        size: file.size,
        kind: Some(kind),
        mode: Some(file.mode & 0o7777),
        permissions: Some(permissions(file.mode)),
        owner: Some(file.owner),
        group: Some(file.group),
        // A guest may answer any number; one that is no date is left out.
        modified_time: Timestamp::from_millisecond(file.modified_unix_ms).ok(),
        symlink_target: file.symlink_target,
    }
}

/// `rwxr-xr-x`.
fn permissions(mode: u32) -> String {
    (0..9).map(|bit| if mode & (0o400 >> bit) == 0 { '-' } else { ['r', 'w', 'x'][bit % 3] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_dir_and_its_object_has_only_published_keys() {
        let info = file(protocol::File {
            name: "src".into(),
            path: "/workspace/src".into(),
            kind: protocol::FileType::Dir,
            size: 4096,
            mode: 0o40751,
            owner: "root".into(),
            group: "root".into(),
            modified_unix_ms: 1_700_000_000_123,
            symlink_target: None,
        });
        insta::assert_json_snapshot!(info, @r#"
        {
          "name": "src",
          "path": "/workspace/src",
          "is_dir": true,
          "size": 4096,
          "type": "dir",
          "mode": 489,
          "permissions": "rwxr-x--x",
          "owner": "root",
          "group": "root",
          "modified_time": "2023-11-14T22:13:20.123Z"
        }
        "#);
    }
}
