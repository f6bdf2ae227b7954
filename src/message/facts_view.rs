//! Stored [`super::Facts`] read in place: what sorting and threading of 100,000 messages look at, without making 100,000
//! times a dozen strings.

use super::date::SentDate;
use super::facts::VERSION;
use super::stored::{Reader, StoredError};
use crate::types::Timestamp;
use crate::types::limits::REFERENCES_MAX;

/// Sort keys and identifiers; see [`super::Facts`] for what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsView<'a> {
    pub sent: Option<SentDate>,
    pub is_reply_or_forward: bool,
    pub has_attachment: bool,
    pub base_subject: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub cc: &'a str,
    pub display_from: &'a str,
    pub display_to: &'a str,
    pub message_id: Option<&'a str>,
    pub in_reply_to: Option<&'a str>,
    /// Read only by [`FactsView::with_references`].
    pub references: Vec<&'a str>,
}

impl<'a> FactsView<'a> {
    /// Everything but the references.
    pub fn read(bytes: &'a [u8]) -> Result<Self, StoredError> {
        Self::read_some(bytes).map(|(view, _)| view)
    }

    pub fn with_references(bytes: &'a [u8]) -> Result<Self, StoredError> {
        let (mut view, mut reader) = Self::read_some(bytes)?;
        let count = reader.number()?;
        if count as usize > REFERENCES_MAX {
            return Err(StoredError::Inconsistent);
        }
        for _ in 0..count {
            view.references.push(reader.text()?);
        }
        Ok(view)
    }

    fn read_some(bytes: &'a [u8]) -> Result<(Self, Reader<'a>), StoredError> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let flags = reader.octet()?;
        let mut view = Self { is_reply_or_forward: flags & 1 != 0, has_attachment: flags & 2 != 0, ..Self::default() };
        if flags & 4 != 0 {
            let time = Timestamp(reader.signed()?);
            let offset_seconds = i32::try_from(reader.signed()?).map_err(|_| StoredError::Inconsistent)?;
            view.sent = Some(SentDate { time, offset_seconds });
        }
        view.base_subject = reader.text()?;
        for key in [&mut view.from, &mut view.to, &mut view.cc, &mut view.display_from, &mut view.display_to] {
            *key = reader.text()?;
        }
        view.message_id = reader.optional()?;
        view.in_reply_to = reader.optional()?;
        Ok((view, reader))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Facts, Parsed, structure::tests::mailish};
    use super::*;
    use proptest::prelude::*;

    fn same(view: &FactsView<'_>, facts: &Facts) -> bool {
        let sort = &facts.sort;
        (view.sent, view.is_reply_or_forward, view.has_attachment)
            == (facts.sent, facts.is_reply_or_forward, facts.has_attachment)
            && [view.base_subject, view.from, view.to, view.cc, view.display_from, view.display_to]
                == [&facts.base_subject, &sort.from, &sort.to, &sort.cc, &sort.display_from, &sort.display_to]
            && (view.message_id, view.in_reply_to) == (facts.message_id.as_deref(), facts.in_reply_to.as_deref())
            && view.references == facts.references
    }

    #[test]
    fn a_view_shows_what_the_facts_are() {
        let raw = "From: Jane <j@x.example>\r\nTo: a@b\r\nCc: c@d\r\nSubject: Re: x\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\
            Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\nReferences: <a@x> <b@x>\r\n\r\nx";
        let facts = Parsed::parse(raw.as_bytes()).analyse().facts;
        let bytes = facts.to_bytes();
        let view = FactsView::with_references(&bytes).expect("just written");
        assert!(same(&view, &facts) && view.references == ["a@x", "b@x"], "{view:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_facts_can_be_viewed(raw in mailish(), bytes: Vec<u8>) {
            let facts = Parsed::parse(&raw).analyse().facts;
            let stored = facts.to_bytes();
            let view = FactsView::with_references(&stored).expect("just written");
            prop_assert!(same(&view, &facts));
            let _ = FactsView::with_references(&bytes);
        }
    }
}
