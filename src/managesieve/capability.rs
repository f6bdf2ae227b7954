//! What is advertised (RFC 5804 section 1.7), by state. A name stands here only when all of it works.

use super::replies::{self, Status};
use super::session::Session;
use crate::auth::Mechanism;
use crate::filter::supported_extensions;
use crate::types::limits::SIEVE_REDIRECTS_MAX;
use std::sync::LazyLock;

static SIEVE: LazyLock<String> = LazyLock::new(|| supported_extensions().collect::<Vec<_>>().join(" "));
static REDIRECTS: LazyLock<String> = LazyLock::new(|| SIEVE_REDIRECTS_MAX.to_string());

impl Session {
    /// All of them, and the line that ends the command.
    pub(super) fn capabilities(&self, out: &mut Vec<u8>, text: &str) {
        let mut say = |name: &str, value: Option<&str>| replies::capability(out, name, value);
        // Which version it is, a stranger need not know.
        let implementation = match &self.owner {
            None => "posthouse",
            Some(_) => concat!("posthouse ", env!("CARGO_PKG_VERSION")),
        };
        say("IMPLEMENTATION", Some(implementation));
        say("VERSION", Some("1.0"));
        let mechanisms: Vec<&str> = self.link.mechanisms.iter().copied().map(Mechanism::name).collect();
        say("SASL", Some(&mechanisms.join(" ")));
        say("SIEVE", Some(&SIEVE));
        say("NOTIFY", Some("mailto"));
        say("MAXREDIRECTS", Some(&REDIRECTS));
        say("LANGUAGE", Some("en"));
        say("UNAUTHENTICATE", None);
        match &self.owner {
            Some(owner) => say("OWNER", Some(owner)),
            None if self.link.can_start_tls => say("STARTTLS", None),
            None => {}
        }
        replies::end(out, Status::Ok, None, text);
    }
}
