//! Mail and header fields of our own making. Nothing here reads a clock or draws a random number: times, tokens and
//! addresses come in as arguments, so the same input is the same mail.

mod auth_results;
mod mail;
mod report;
mod trace;

pub use auth_results::{MethodResult, authentication_results, is_forged_authentication_results};
pub use mail::{AutoReply, Notice, ReplyBody, Stamp, reply_references};
pub use report::{Action, DeliveryReport, RecipientReport, Returned};
pub use trace::{LOOP_MARK_FIELD, Protocol, Received, return_path};
