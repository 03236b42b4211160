//! Flags whose order on the command line is their meaning: the steps of a template (spec cli §3.1).
//!
//! `clap` groups values by flag; their positions are kept beside, so that the order can be found again.

use clap::{Arg, ArgAction, ArgMatches, Command, Error};

/// A step flag as it was given, with its place on the command line.
#[derive(Debug, Clone)]
pub struct Given {
    pub flag: &'static str,
    pub value: String,
}

/// Step flags in the order they were given.
#[derive(Debug, Clone, Default)]
pub struct Ordered(pub Vec<Given>);

struct Flag {
    name: &'static str,
    /// `None`: the flag takes no value.
    value: Option<&'static str>,
    help: &'static str,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value: Some(value), help }
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: None, help }
}

const FLAGS: [Flag; 36] = [
    flag("set-workdir", "PATH", "Set the directory of later steps and of the sandboxes"),
    flag("set-user", "USER", "Set the user of later steps and of the sandboxes"),
    flag("run-cmd", "COMMAND", "Run a shell command"),
    flag("run-user", "USER", "…as this user"),
    flag("apt-install", "A,B", "Install Debian packages: names, or @FILE with a JSON list"),
    flag("pip-install", "A,B", "Install Python packages"),
    switch("pip-user-install", "…for the user only"),
    flag("npm-install", "A,B", "Install Node packages"),
    switch("npm-global", "…globally"),
    flag("bun-install", "A,B", "Install packages with Bun"),
    switch("bun-global", "…globally"),
    flag("git-clone", "URL", "Clone a repository"),
    flag("git-path", "PATH", "…to this place (default /workspace)"),
    flag("git-branch", "BRANCH", "…at this branch"),
    flag("git-depth", "N", "…this many commits deep"),
    flag("copy-src", "LOCAL", "Copy a file, or the contents of a directory; may be repeated for one --copy-dst"),
    flag("copy-dst", "PATH", "…to this place"),
    flag("copy-user", "USER", "…owned by this user"),
    flag("copy-mode", "MODE", "…with this mode"),
    switch("copy-force-upload", "…uploaded even where the server has it"),
    flag("copy-items", "JSON", "Copy several things: JSON, or @FILE"),
    flag("remove", "PATH", "Remove a path"),
    switch("remove-recursive", "…with all in it"),
    switch("remove-force", "…or not, where there is none"),
    flag("rename-src", "PATH", "Move this path"),
    flag("rename-dst", "PATH", "…to this one"),
    switch("rename-force", "…over what is there"),
    flag("make-dir", "PATH", "Make a directory"),
    flag("make-dir-mode", "MODE", "…with this mode"),
    flag("make-symlink-target", "PATH", "Make a link to this path"),
    flag("make-symlink-path", "PATH", "…at this place"),
    switch("step-skip-cache", "Let nothing after this point come from the cache"),
    flag("set-build-env", "K=V", "Set an environment variable of the build; or a JSON object"),
    flag("set-runtime-env", "K=V", "Set an environment variable of the sandboxes; or a JSON object"),
    flag("tag", "TAG", "A tag for the build; may be repeated"),
    flag("file-ignore", "PATTERN", "Do not send files that match; may be repeated"),
];

impl clap::Args for Ordered {
    fn augment_args(mut command: Command) -> Command {
        for flag in &FLAGS {
            let mut argument = Arg::new(flag.name)
                .long(flag.name)
                .help(flag.help)
                .action(ArgAction::Append)
                .help_heading(heading(flag));
            argument = match flag.value {
                Some(name) => argument.value_name(name).allow_hyphen_values(true),
                None => {
                    argument.num_args(0..=1).require_equals(true).default_missing_value("true").hide_default_value(true)
                }
            };
            command = command.arg(argument);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn heading(flag: &Flag) -> &'static str {
    match flag.name {
        "set-build-env" | "set-runtime-env" | "tag" | "file-ignore" => "Options",
        _ => "Steps, in this order",
    }
}

impl clap::FromArgMatches for Ordered {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut found: Vec<(usize, Given)> = Vec::new();
        for flag in &FLAGS {
            let places = matches.indices_of(flag.name).into_iter().flatten();
            let values = matches.get_many::<String>(flag.name).into_iter().flatten();
            found.extend(
                places.zip(values).map(|(place, value)| (place, Given { flag: flag.name, value: value.clone() })),
            );
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Self(found.into_iter().map(|(_, given)| given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Ordered {
    /// The values of one flag, in order.
    pub fn of(&self, flag: &str) -> Vec<String> {
        self.0.iter().filter(|given| given.flag == flag).map(|given| given.value.clone()).collect()
    }
}
