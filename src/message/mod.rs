//! Layer 0: raw mail octets with a parsed view.

mod addresses;
mod charset;
#[allow(dead_code)]
mod content_type;
mod encoded_word;
mod field;
mod script_message;
mod structure;
#[allow(dead_code)]
mod transfer;
mod wire;

pub use addresses::{AddressItem, AddressList, Mailbox, address_list, mailboxes};
pub use charset::decode as decode_charset;
pub use encoded_word::{decode as decode_header, encode as encode_words};
pub use field::{Field, HeaderFields, body_offset, unfold};
pub use script_message::{Bodies, script_message};
pub use structure::{Children, DecodeError, Part, PartKind, Section, Structure, StructureError};
pub use transfer::Encoding;
pub use wire::{body_of, bodystructure, envelope};
