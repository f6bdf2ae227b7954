//! Layer 0: raw mail octets with a parsed view, and the mail we write ourselves.
//!
//! **Reading.** [`Parsed::parse`] takes any octets and refuses nothing; [`Parsed::analyse`] computes once, at delivery,
//! everything that is stored beside a message, so that no reader parses it again:
//! * [`Structure`]: where each part's header and body stand; answers FETCH sections ([`Structure::section`]), HEADER.FIELDS
//!   with [`chosen_fields`], and BINARY ([`Structure::decode_part`]); stored with `to_bytes` and `from_bytes`.
//! * `envelope` and `bodystructure`: ready to send; [`body_of`] makes BODY of the latter.
//! * [`Facts`]: identifiers, date, base subject, sort keys, preview, whether something is attached; stored likewise.
//! * `search_text`: decoded header fields and texts, looked through by [`SearchText::contains`] with a [`Needle`], both in
//!   the form [`casemap`] gives.
//!
//! [`Parsed::script_message`] gives the Sieve engine its own type of message, safe on any stack. Pieces for those who need
//! less: [`HeaderFields`], [`decode_header`], [`address_list`], [`message_ids`], [`SentDate`], [`base_subject`].
//!
//! **Changing.** [`HeaderEdit`] adds and removes fields and leaves every other octet alone; what is added is a
//! [`NewField`], which no value can end early. [`to_crlf`], [`OctetFacts`] and [`to_seven_bit`] prepare for transports.
//!
//! **Writing.** [`Received`], [`return_path`], [`authentication_results`]; [`AutoReply`], [`Notice`], [`DeliveryReport`]
//! (also for a Sieve `reject` that could not be said in the session). Times, identifiers and tokens are arguments.
//!
//! What this will not do: judge mail, sign or verify it, know who may send it, read a clock, or do any I/O. Every loop over
//! a message's octets is linear in them, and every nesting has a limit; what lies beyond is opaque, never an error.

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
mod facts_view;
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
#[cfg(test)]
mod tests;
mod transfer;
mod wire;

pub use addresses::{AddressItem, AddressList, Mailbox, address_list, mailboxes};
pub use analysis::{Analysis, Parsed};
pub use casemap::casemap;
pub use charset::decode as decode_charset;
pub use compose::{
    Action, AutoReply, DeliveryReport, LOOP_MARK_FIELD, MethodResult, Notice, Protocol, Received, RecipientReport,
    ReplyBody, Returned, Stamp, authentication_results, is_forged_authentication_results, reply_references,
    return_path,
};
pub use date::{SentDate, format_date};
pub use edit::{HeaderEdit, Nth, remove_in_place};
pub use encoded_word::{decode as decode_header, encode as encode_words};
pub use facts::{Facts, SortKeys};
pub use facts_view::FactsView;
pub use field::{Field, FieldChoice, HeaderFields, body_offset, chosen_fields, unfold};
pub use line_ends::{OctetFacts, to_crlf};
pub use message_id::{message_id, message_ids, new_message_id, own_message_id};
pub use new_field::{NewField, NewFieldError, format_mailbox};
pub use script_message::{Bodies, script_message};
pub use search_text::{Needle, SearchPlace, SearchText};
pub use seven_bit::{SevenBitError, has_eight_bit_header, to_seven_bit};
pub use stored::StoredError;
pub use structure::{Children, DecodeError, Part, PartKind, Section, Structure};
pub use subject::{BaseSubject, base_subject};
pub use transfer::{Decoder, Encoding};
pub use wire::{body_of, bodystructure, envelope};
