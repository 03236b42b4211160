//! Which server a command speaks to, and with which key (spec api §1.1).
//!
//! Looked for in the environment, in `.env`, and in the configuration files, first found first used.

use crate::failure::Failure;
use nullspace_api::Client;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const DEFAULT_URL: &str = "http://localhost:3000";
const URL_NAMES: [&str; 2] = ["NULLSPACE_API_URL", "NULLSPACE_BASE_URL"];
const KEY_NAME: &str = "NULLSPACE_API_KEY";

/// A configuration file, or what is said in one.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_url: Option<String>,
}

/// All the places, read once.
pub struct Settings {
    environment: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
    configs: Vec<Config>,
}

impl Settings {
    pub fn load() -> Self {
        let environment = std::env::vars().filter(|(name, _)| name.starts_with("NULLSPACE_")).collect();
        let dotenv = std::fs::read_to_string(".env").map(|text| assignments(&text)).unwrap_or_default();
        // A file that cannot be read or understood is no configuration; the missing key is reported instead.
        let configs = config_paths()
            .iter()
            .map(|path| {
                std::fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
            })
            .collect();
        Self { environment, dotenv, configs }
    }

    pub fn key(&self) -> Option<String> {
        first([self.environment.get(KEY_NAME), self.dotenv.get(KEY_NAME)])
            .or_else(|| first(self.configs.iter().map(|config| config.api_key.as_ref())))
    }

    pub fn url(&self) -> String {
        first(URL_NAMES.map(|name| self.environment.get(name)))
            .or_else(|| first(URL_NAMES.map(|name| self.dotenv.get(name))))
            .or_else(|| first(self.configs.iter().map(|config| config.base_url.as_ref())))
            .or_else(|| first(self.configs.iter().map(|config| config.api_url.as_ref())))
            .unwrap_or_else(|| DEFAULT_URL.to_owned())
    }

    pub fn client(&self) -> Result<Client, Failure> {
        let key = self.key().ok_or(Failure::NoKey)?;
        Ok(Client::new(&self.url(), &key)?)
    }
}

fn first<'a>(values: impl IntoIterator<Item = Option<&'a String>>) -> Option<String> {
    values.into_iter().flatten().map(|value| value.trim()).find(|value| !value.is_empty()).map(str::to_owned)
}

fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

fn config_paths() -> [PathBuf; 2] {
    let xdg = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty());
    let xdg = xdg.map_or_else(|| home().join(".config"), PathBuf::from);
    [xdg.join("nullspace/config.json"), login_path()]
}

/// Where `auth login` writes.
pub fn login_path() -> PathBuf {
    home().join(".nullspace/config.json")
}

/// Stores a key and address for later commands, readable by their owner only.
pub fn store_login(path: &Path, key: &str, url: &str) -> Result<(), Failure> {
    let failed = |action| move |source| Failure::File { action, path: path.to_owned(), source };
    let config = Config { api_key: Some(key.to_owned()), base_url: Some(url.to_owned()), api_url: None };
    let text = serde_json::to_string_pretty(&config).expect("three strings are JSON");
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(failed("create the directory of"))?;
    }
    // Written beside and renamed: a reader never sees half a key, and an old file's wider mode does not survive.
    let beside = path.with_extension("json.new");
    let _ = std::fs::remove_file(&beside);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed("create"))?;
    file.write_all(format!("{text}\n").as_bytes()).map_err(failed("write"))?;
    std::fs::rename(&beside, path).map_err(failed("replace"))
}

fn assignments(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(|line| line.trim().trim_start_matches("export "))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()).to_owned()))
        .collect()
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn settings(environment: &[(&str, &str)], dotenv: &str, configs: &[&str]) -> Settings {
        Settings {
            environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            dotenv: assignments(dotenv),
            configs: configs.iter().map(|text| serde_json::from_str(text).unwrap()).collect(),
        }
    }

    #[test]
    fn the_first_place_with_a_value_wins() {
        let files = [r#"{"api_key":"xdg","api_url":"http://later"}"#, r#"{"api_key":"legacy","base_url":"http://l"}"#];
        let found = settings(&[("NULLSPACE_API_KEY", " ")], "", &files);
        assert_eq!((found.key().unwrap().as_str(), found.url().as_str()), ("xdg", "http://l"));
        let found = settings(&[], "# c\nexport NULLSPACE_API_KEY='dot'\nNULLSPACE_BASE_URL=http://d", &files);
        assert_eq!((found.key().unwrap().as_str(), found.url().as_str()), ("dot", "http://d"));
        let found = settings(&[("NULLSPACE_BASE_URL", "http://e")], "", &[]);
        assert_eq!((found.key(), found.url().as_str()), (None, "http://e"));
        assert_eq!(settings(&[], "", &[]).url(), DEFAULT_URL);
    }

    #[test]
    fn a_stored_login_is_private_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/config.json");
        store_login(&path, "ns_live_1", "http://a").unwrap();
        store_login(&path, "ns_live_2", "http://b").unwrap();
        let config: Config = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!((config.api_key.as_deref(), config.base_url.as_deref()), (Some("ns_live_2"), Some("http://b")));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
