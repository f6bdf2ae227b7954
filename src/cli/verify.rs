//! `posthouse verify`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::Output;
use super::progress::Bar;
use crate::admin::{Problem, Side, Told, Verified, Verify, verify_backup};
use std::path::PathBuf;

pub(super) async fn run(file: Option<PathBuf>, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let (verified, what) = match file {
        Some(file) => {
            let bar = Bar::new("verifying", output);
            (verify_backup(&file, &mut |done, all| bar.tell(done, all))?, file.display().to_string())
        }
        None => {
            desk.require_data()?;
            (desk.long(Verify {}, "verifying").await?, "the store".to_owned())
        }
    };
    let Verified { findings } = &verified;
    if !findings.is_empty() {
        let told =
            |finding: &String| Told { code: "damaged".to_owned(), message: format!("{what}: {finding}"), hint: None };
        return Err(Failure(Problem { side: Side::Fault, causes: findings.iter().map(told).collect() }));
    }
    output.answer(&verified, |page| page.strong_line(&format!("{what} is sound")))
}
