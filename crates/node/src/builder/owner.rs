//! Whom a copy belongs to: `user[:group]` by the image's own databases. Pure.

/// Bytes of a user database that are looked at; images have a few kilobytes.
pub const DATABASE_MAX: u64 = 1024 * 1024;

/// Finds numeric ids. Numbers need no entry; a user without a group takes its own, or its number.
pub fn resolve(owner: &str, passwd: &str, group: &str) -> Result<(u64, u64), String> {
    let (user, named_group) = match owner.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (owner, None),
    };
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() > 3 && (fields[0] == user || fields[2] == user));
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    let uid = match &entry {
        Some(fields) => number(fields[2]),
        None => number(user),
    };
    let uid = uid.ok_or_else(|| format!("there is no user `{user}` in the image"))?;
    let gid = match named_group.filter(|name| !name.is_empty()) {
        Some(name) => group
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.len() > 2 && fields[0] == name)
            .and_then(|fields| number(fields[2]))
            .or_else(|| number(name))
            .ok_or_else(|| format!("there is no group `{name}` in the image"))?,
        None => entry.and_then(|fields| number(fields[3])).unwrap_or(uid),
    };
    Ok((uid, gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_come_to_ids_and_unknown_names_are_refused() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:100:App:/home/app:/bin/sh\nbroken\n";
        let group = "root:x:0:\nusers:x:100:app\nstaff:x:50:\n";
        let resolved = |owner| resolve(owner, passwd, group);
        assert_eq!(resolved("app"), Ok((1000, 100)));
        assert_eq!(resolved("app:staff"), Ok((1000, 50)));
        assert_eq!(resolved("1000"), Ok((1000, 100)));
        assert_eq!(resolved("1234"), Ok((1234, 1234)));
        assert_eq!(resolved("1234:5"), Ok((1234, 5)));
        assert_eq!(resolved("app:"), Ok((1000, 100)));
        assert!(resolved("ann").unwrap_err().contains("`ann`"));
        assert!(resolved("app:ops").unwrap_err().contains("`ops`"));
    }
}
