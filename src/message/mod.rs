//! Layer 0: raw mail octets with a parsed view.

mod addresses;
mod analysis;
mod casemap;
mod charset;
mod compose;
mod content_type;
mod date;
mod edit;
mod encoded_word;
mod facts;
mod field;
mod html;
mod line_ends;
mod message_id;
mod new_field;
mod preview;
mod script_message;
mod search_text;
mod seven_bit;
mod stored;
mod structure;
mod subject;
mod transfer;
mod wire;

pub use addresses::{AddressItem, AddressList, Mailbox, address_list, mailboxes};
pub use analysis::{Analysis, Parsed};
pub use casemap::casemap;
pub use charset::decode as decode_charset;
pub use compose::{
    Action, AutoReply, DeliveryReport, MethodResult, Notice, Protocol, Received, RecipientReport, ReplyBody, Returned,
    Stamp, authentication_results, is_forged_authentication_results, reply_references, return_path,
};
pub use date::{SentDate, format_date};
pub use edit::{HeaderEdit, Nth};
pub use encoded_word::{decode as decode_header, encode as encode_words};
pub use facts::{Facts, SortKeys};
pub use field::{Field, HeaderFields, body_offset, unfold};
pub use line_ends::{OctetFacts, to_crlf};
pub use message_id::{message_id, message_ids, new_message_id};
pub use new_field::{NewField, NewFieldError, format_mailbox};
pub use script_message::{Bodies, script_message};
pub use search_text::{Needle, SearchPlace, SearchText};
pub use seven_bit::{SevenBitError, has_eight_bit_header, to_seven_bit};
pub use stored::StoredError;
pub use structure::{Children, DecodeError, Part, PartKind, Section, Structure};
pub use subject::{BaseSubject, base_subject};
pub use transfer::Encoding;
pub use wire::{body_of, bodystructure, envelope};
