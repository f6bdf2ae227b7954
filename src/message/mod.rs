//! Layer 0: raw mail octets with a parsed view.

mod addresses;
mod analysis;
mod casemap;
mod charset;
mod content_type;
mod date;
mod encoded_word;
mod facts;
mod field;
mod html;
mod message_id;
mod preview;
mod script_message;
mod search_text;
mod stored;
mod structure;
mod subject;
#[allow(dead_code)]
mod transfer;
mod wire;

pub use addresses::{AddressItem, AddressList, Mailbox, address_list, mailboxes};
pub use analysis::{Analysis, Parsed};
pub use casemap::casemap;
pub use charset::decode as decode_charset;
pub use date::{SentDate, format_date};
pub use encoded_word::{decode as decode_header, encode as encode_words};
pub use facts::{Facts, SortKeys};
pub use field::{Field, HeaderFields, body_offset, unfold};
pub use message_id::{message_id, message_ids, new_message_id};
pub use script_message::{Bodies, script_message};
pub use search_text::{Needle, SearchPlace, SearchText};
pub use stored::StoredError;
pub use structure::{Children, DecodeError, Part, PartKind, Section, Structure};
pub use subject::{BaseSubject, base_subject};
pub use transfer::Encoding;
pub use wire::{body_of, bodystructure, envelope};
