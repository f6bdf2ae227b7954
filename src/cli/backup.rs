//! `posthouse backup`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use crate::admin::{Backup, words};
use std::path::PathBuf;

pub(super) async fn run(file: PathBuf, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    desk.require_data()?;
    // The server works in another directory.
    let file = std::path::absolute(&file).map_err(|error| Failure::file(&file, &error))?;
    let done = desk.long(Backup { file }, "copying").await?;
    output.answer(&done, |page| {
        page.strong_line(&format!("{} holds everything: {}", done.file.display(), words::size(done.octets)));
    })
}
