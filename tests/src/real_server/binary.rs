//! The installed servers.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An installed server.
#[derive(Clone, Debug)]
pub struct ServerBinary {
    pub(super) path: PathBuf,
    name: String,
    version: (u32, u32),
}

impl ServerBinary {
    /// Finds the binaries listed in `REAL_REDIS_BINS`, separated by `:`. Without that variable it
    /// looks for `valkey-server` and `redis-server` on PATH.
    ///
    /// # Errors
    ///
    /// If a listed binary does not run. A list is a requirement, so nothing is skipped.
    pub fn found() -> Result<Vec<Self>, String> {
        let Some(list) = std::env::var_os("REAL_REDIS_BINS") else {
            let names = ["valkey-server", "redis-server"];
            return Ok(names
                .iter()
                .filter_map(|name| Self::at(Path::new(name)))
                .collect());
        };
        std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| {
                Self::at(&path).ok_or(format!("REAL_REDIS_BINS: {} does not run", path.display()))
            })
            .collect()
    }

    /// The binary at this path, or with this name on PATH. `None` if it does not run.
    pub fn at(path: &Path) -> Option<Self> {
        let output = Command::new(path).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="))?;
        let name = format!("{} {version}", path.file_name()?.to_string_lossy());
        let mut numbers = version.split('.').map(str::parse);
        let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self {
            path: path.into(),
            name,
            version,
        })
    }

    /// The name of the file and the version that it reports: `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first two numbers of the version.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }
}
