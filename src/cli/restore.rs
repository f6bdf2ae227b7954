//! `posthouse restore`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::progress::Bar;
use crate::admin::restore_backup;
use std::path::PathBuf;

pub(super) async fn run(file: PathBuf, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let data = desk.config()?.data;
    if desk.is_served().await? {
        let message = format!("a server runs on {}", data.display());
        return Err(Failure::refused("in-use", message, Some("stop it first, restore, and start it again")));
    }
    let bar = Bar::new("restoring", output);
    let kept = restore_backup(&data, &file, &mut |done, all| bar.tell(done, all))?;
    drop(bar);
    let answer = serde_json::json!({ "data": data, "file": file, "kept": kept });
    output.answer(&answer, |page| {
        page.strong_line(&format!("{} is as it was in {}", data.display(), file.display()));
        if let Some(kept) = &kept {
            page.note(&format!("what was there before is kept as {}", kept.display()));
        }
        page.note("queued mail is held: posthouse queue list");
    })
}
