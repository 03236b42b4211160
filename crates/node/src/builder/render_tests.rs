//! Each published action and the work it becomes.

use super::*;
use crate::builder::work::Program;

fn rendered(step: &Step, scope: &mut Scope) -> Work {
    render(step, scope, &BTreeMap::new()).unwrap()
}

fn scope() -> Scope {
    Scope { cwd: "/".to_owned(), user: None }
}

fn words(work: &Work) -> String {
    match work {
        Work::Command(Command { program: Program::Shell(script), .. }) => script.clone(),
        Work::Command(Command { program: Program::Direct(words), .. }) => words.join(" "),
        other => panic!("not a command: {other:?}"),
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn package_steps_render_as_the_published_client_would_write_them() {
    let mut scope = scope();
    let packages = strings(&["a", "b"]);
    let cases = [
        (
            Step::AptInstall { packages: packages.clone() },
            "apt-get update && apt-get install -y -- 'a' 'b' && rm -rf /var/lib/apt/lists/*",
        ),
        (Step::PipInstall { packages: packages.clone(), g: true }, "pip install --no-cache-dir a b"),
        (Step::PipInstall { packages: packages.clone(), g: false }, "pip install --no-cache-dir --user a b"),
        (Step::NpmInstall { packages: packages.clone(), g: true }, "npm install -g a b"),
        (Step::BunInstall { packages, g: false }, "bun add a b"),
        (
            Step::GitClone {
                url: "https://h/r".to_owned(),
                path: "src".to_owned(),
                branch: Some("v1".to_owned()),
                depth: Some(1),
            },
            "git clone --branch v1 --depth 1 -- https://h/r /src",
        ),
        (Step::MakeSymlink { target: "t".to_owned(), path: "/l".to_owned() }, "ln -s -- t /l"),
    ];
    for (step, expected) in cases {
        assert_eq!(words(&rendered(&step, &mut scope)), expected);
    }
}

#[test]
fn a_package_name_cannot_leave_its_word() {
    let step = Step::AptInstall { packages: strings(&["x'; rm -rf / #"]) };
    assert!(words(&rendered(&step, &mut scope())).contains(r"'x'\''; rm -rf / #'"));
}

#[test]
fn workdir_and_user_hold_for_later_steps_and_system_packages_stay_roots() {
    let mut scope = scope();
    assert_eq!(
        rendered(&Step::Workdir { path: "app".to_owned() }, &mut scope),
        Work::MakeDir { path: "/app".to_owned(), mode: None, user: None }
    );
    rendered(&Step::Workdir { path: "../srv/./x/".to_owned() }, &mut scope);
    rendered(&Step::User { user: "ann".to_owned() }, &mut scope);
    let Work::Command(run) = rendered(&Step::Run { command: "id".to_owned(), user: None }, &mut scope) else {
        panic!()
    };
    assert_eq!((run.cwd.as_str(), run.user.as_deref()), ("/srv/x", Some("ann")));
    let Work::Command(run) =
        rendered(&Step::Run { command: "id".to_owned(), user: Some("bob".to_owned()) }, &mut scope)
    else {
        panic!()
    };
    assert_eq!(run.user.as_deref(), Some("bob"));
    let Work::Command(apt) = rendered(&Step::AptInstall { packages: strings(&["git"]) }, &mut scope) else { panic!() };
    assert_eq!(apt.user, None);
}

#[test]
fn a_mode_is_octal_or_refused() {
    let make = |mode: &str| {
        render(&Step::MakeDir { path: "/d".to_owned(), mode: Some(mode.to_owned()) }, &mut scope(), &BTreeMap::new())
    };
    assert_eq!(make("0750"), Ok(Work::MakeDir { path: "/d".to_owned(), mode: Some(0o750), user: None }));
    for bad in ["rwx", "99", "77777", ""] {
        assert!(make(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_description_is_one_short_line_without_credentials() {
    let run = Step::Run { command: format!("cat <<E\n{}\nE", "x".repeat(1000)), user: None };
    assert_eq!(describe(&run), "run cat <<E …");
    let clone = Step::GitClone {
        url: "https://user:token@host/r.git".to_owned(),
        path: "/w".to_owned(),
        branch: None,
        depth: None,
    };
    assert_eq!(describe(&clone), "git clone https://host/r.git to /w");
}
