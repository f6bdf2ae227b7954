//! Layer 2: the facts of one stage go in, an outcome comes out. Where a message comes from (SPF, DKIM, DMARC), whether it
//! goes in circles, how much somebody may send; and our own signatures.
//!
//! What it will not do: speak a protocol (the caller has the words), know who lives here, or remember anything beyond this
//! process.

mod arriving;
mod assessment;
mod block_lists;
mod body_hash;
mod client_name;
mod dkim;
mod dmarc;
mod findings;
mod loops;
mod rates;
mod scan;
mod signing;
mod spf;
mod verifier;

pub use arriving::{Trust, assessment_fields, remove_forgeries};
pub use assessment::{Assessment, JunkReason, NotForwarded, Verdict};
pub use block_lists::{BlockLists, Listing, is_exempt};
pub use body_hash::{BodyDigest, BodyHash};
pub use client_name::confirmed_name;
pub use findings::{Arrival, DkimFinding, DmarcFinding, DmarcPolicy, Findings, Outcome, SpfFinding, SpfIdentity};
pub use loops::{Loop, check_loop};
pub use rates::{Exceeded, Rate, RateLimits, Rates};
pub use scan::{Scan, author_domains};
pub use signing::{KeyKind, NewKey, SigningError, SigningKey, is_key_record, key_name, key_record, new_key};
pub use verifier::{Patience, Verifier};

#[cfg(test)]
mod tests;
