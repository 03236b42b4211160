//! A step as the shell command a person would type: for plans and logs. The builder carries steps out
//! itself and need not agree word by word.

use super::step::Step;

/// The command of a step that runs one, and none for a step that only changes how the next ones run.
pub(super) fn command(step: &Step) -> Option<String> {
    Some(match step {
        Step::AptInstall { packages } => {
            format!("apt-get update && apt-get install -y {} && rm -rf /var/lib/apt/lists/*", words(packages))
        }
        Step::PipInstall { packages, g } => {
            format!("pip install --no-cache-dir {}{}", flag("--user ", !*g), words(packages))
        }
        Step::NpmInstall { packages, g } => format!("npm install {}{}", flag("-g ", *g), words(packages)),
        Step::BunInstall { packages, g } => format!("bun add {}{}", flag("--global ", *g), words(packages)),
        Step::Run { command, user: None } => command.clone(),
        Step::Run { command, user: Some(user) } => format!("su -s /bin/sh -c {} {}", quoted(command), quoted(user)),
        Step::GitClone { url, path, branch, depth } => {
            let branch = branch.as_ref().map_or(String::new(), |branch| format!("--branch {} ", quoted(branch)));
            let depth = depth.map_or(String::new(), |depth| format!("--depth {depth} "));
            format!("git clone {branch}{depth}{} {}", quoted(url), quoted(path))
        }
        Step::Remove { path, recursive, force } => {
            format!("rm {}{}{}", flag("-r ", *recursive), flag("-f ", *force), quoted(path))
        }
        Step::Rename { src, dst, force } => format!("mv {}{} {}", flag("-f ", *force), quoted(src), quoted(dst)),
        Step::MakeDir { path, mode: None } => format!("mkdir -p {}", quoted(path)),
        Step::MakeDir { path, mode: Some(mode) } => format!("mkdir -p {0} && chmod {mode} {0}", quoted(path)),
        Step::MakeSymlink { target, path } => format!("ln -s {} {}", quoted(target), quoted(path)),
        Step::SkipCache | Step::Copy(_) | Step::CopyItems { .. } | Step::Workdir { .. } | Step::User { .. } => {
            return None;
        }
    })
}

fn flag(text: &'static str, is_set: bool) -> &'static str {
    if is_set { text } else { "" }
}

fn words(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_anything_in_it_stays_one_word() {
        assert_eq!(quoted("fastapi==0.1"), "fastapi==0.1");
        assert_eq!(quoted("fastapi>=0.1; id"), "'fastapi>=0.1; id'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
