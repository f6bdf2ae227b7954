//! Where the configuration comes from: a file or none, and a data directory named apart from it.

use crate::config::{Config, ConfigError};
use std::path::PathBuf;

/// The data directory when nothing names one.
pub const DATA_DEFAULT: &str = "posthouse-data";

/// Kept, so that it can be read again while the server runs.
#[derive(Clone, Debug, Default)]
pub struct ConfigSource {
    pub file: Option<PathBuf>,
    /// Beats what the file says.
    pub data: Option<PathBuf>,
}

impl ConfigSource {
    pub fn load(&self) -> Result<Config, ConfigError> {
        let Some(file) = &self.file else {
            return Ok(Config::without_file(self.data.clone().unwrap_or_else(|| DATA_DEFAULT.into())));
        };
        let mut config = Config::load(file)?;
        if let Some(data) = &self.data {
            // What was to be looked for in the data directory is looked for in this one.
            for path in [&mut config.tls.certificate, &mut config.tls.key] {
                if let Ok(inside) = path.strip_prefix(&config.data) {
                    *path = data.join(inside);
                }
            }
            config.data.clone_from(data);
        }
        Ok(config)
    }
}
