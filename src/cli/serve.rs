//! `posthouse serve`.

use super::failure::Failure;
use crate::server::{ConfigSource, serve};

pub(super) async fn run(source: ConfigSource) -> Result<(), Failure> {
    let config = source.load()?;
    Ok(serve(source, config).await?)
}
