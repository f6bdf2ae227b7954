//! Layer 2: Sieve (RFC 5228 and its extensions): text to script, script and message to an ordered list of actions, each
//! with the line that caused it.
//!
//! It stores nothing, sends nothing and knows no account: what it must ask it asks its [`Host`], what should happen it
//! says in a [`Run`]. A run is bounded in time, memory and number of actions whatever the script and the message say, but
//! it can take some tenths of a second, so scripts run on threads that serve no network.
//!
//! The engine is sieve-rs, and this is the only place that names it. A script is read by our own lexer ([`lexer`]) and
//! grammar ([`grammar`]), which know the place of every word, and written anew for the engine ([`build`]): actions and
//! comparisons become calls that come back to us ([`call`], [`run`]), while the flow of control, variables, patterns and
//! changes to the message stay with it.

mod body;
mod build;
mod cache;
mod call;
mod dates;
mod edit;
mod extensions;
mod fields;
mod grammar;
mod host;
mod lexer;
mod matching;
mod notify;
mod pattern;
mod plan;
mod reach;
mod run;
mod script;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod vacation;
mod verdict;

pub use cache::Cache;
pub use extensions::supported_extensions;
pub use host::{Host, IncludePlace, Included, Incoming, Limits, Phase};
pub use plan::{
    Action, ActionKind, Automatic, Cause, Content, Create, DeliverBy, DuplicateEntry, Filing, Importance, KeepReason,
    Notification, Redirect, Reply, ReplyBody, ReplyKey, ReplyMemory, Run, ScriptError, ScriptErrorKind, ScriptName,
    Suppressed, Suppression,
};
pub use run::run;
pub use script::{CompileError, Examination, IncludeUse, NamedUse, Script, ScriptKind, Warning, compile, examine};
