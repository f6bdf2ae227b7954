//! GETMETADATA and SETMETADATA (RFC 5464).

use crate::imap::cause::Cause;
use crate::imap::grammar::{Depth, EntryName, GetMetadata, MetadataOptions, SetMetadata};
use crate::imap::replies::Code;
use crate::imap::session::{COMPLETED, Done, Outcome, Session};
use crate::mailbox::{Annotation, MailboxError};
use crate::types::MailboxName;
use crate::types::limits::ANNOTATION_OCTETS_MAX;

impl Session {
    pub(super) async fn metadata(&mut self, wanted: GetMetadata) -> Outcome {
        let name = match wanted.mailbox {
            Some(mailbox) => Some(mailbox.named()?),
            None => None,
        };
        let longest = self.tell_metadata(name.as_ref(), wanted.options, &wanted.entries).await?;
        Ok(Done::Completed(longest.map(Code::MetadataLongEntries)))
    }

    /// The answer is the size of the longest value that was left out for its length.
    pub(super) async fn tell_metadata(
        &mut self,
        name: Option<&MailboxName>,
        options: MetadataOptions,
        entries: &[EntryName],
    ) -> Result<Option<u64>, Cause> {
        let known = self.services.mailboxes.metadata(self.viewer()?, name).await?;
        let (mut shown, mut longest) = (Vec::new(), None);
        for entry in entries {
            let mut found =
                known.iter().filter(|annotation| is_meant(&annotation.entry, entry, options.depth)).peekable();
            // What has no value is NIL, but only where it was asked for by its name.
            if found.peek().is_none() && options.depth == Depth::Itself {
                shown.push((entry.as_str(), None));
            }
            for Annotation { entry, value } in found {
                let octets = value.len() as u64;
                if options.value_octets_max.is_some_and(|max| octets > max) {
                    longest = longest.max(Some(octets));
                } else if !shown.iter().any(|(known, _)| known == entry) {
                    shown.push((entry.as_str(), Some(value.as_slice())));
                }
            }
        }
        if !shown.is_empty() {
            self.replies.metadata(name, shown);
        }
        Ok(longest)
    }

    pub(super) async fn set_metadata(&mut self, wanted: SetMetadata) -> Outcome {
        let name = match wanted.mailbox {
            Some(mailbox) => Some(mailbox.named()?),
            None => None,
        };
        let too_long =
            |value: &Option<Vec<u8>>| value.as_ref().is_some_and(|value| value.len() > ANNOTATION_OCTETS_MAX);
        if wanted.entries.iter().any(|(_, value)| too_long(value)) {
            return Err(Cause::AnnotationTooLong);
        }
        let entries = wanted.entries.into_iter().map(|(entry, value)| (entry.as_str().to_owned(), value)).collect();
        let (viewer, standing) = (self.viewer()?, self.standing()?);
        match self.services.mailboxes.set_metadata(viewer, standing, name.as_ref(), entries).await {
            Ok(()) => Ok(COMPLETED),
            // RFC 5464 section 4.3.
            Err(MailboxError::Limit(_)) => Err(Cause::TooManyAnnotations),
            Err(error) => Err(error.into()),
        }
    }
}

/// RFC 5464 section 4.2.2.
fn is_meant(known: &str, wanted: &EntryName, depth: Depth) -> bool {
    let Some(rest) = known.strip_prefix(wanted.as_str()) else { return false };
    match (rest.strip_prefix('/'), depth) {
        (None, _) => rest.is_empty(),
        (Some(_), Depth::Itself) => false,
        (Some(below), Depth::Children) => !below.contains('/'),
        (Some(_), Depth::Infinity) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::framing::Framed;
    use crate::imap::grammar::{Body, Mode, parse};

    #[test]
    fn depths() {
        let wanted = |depth: &str| {
            let octets = format!("a GETMETADATA (DEPTH {depth}) \"\" /private/comment");
            let framed = Framed { octets: octets.as_bytes(), streamed: &[] };
            match parse(framed, Mode::default()).expect("a command").body {
                Body::GetMetadata(wanted) => (wanted.entries[0].clone(), wanted.options.depth),
                other => panic!("{other:?}"),
            }
        };
        let check = |depth: &str, known: &[&str], others: &[&str]| {
            let (entry, depth) = wanted(depth);
            assert!(known.iter().all(|known| is_meant(known, &entry, depth)), "{depth:?}");
            assert!(!others.iter().any(|other| is_meant(other, &entry, depth)), "{depth:?}");
        };
        let (itself, child, below) = ("/private/comment", "/private/comment/a", "/private/comment/a/b");
        check("0", &[itself], &[child, below, "/private/comments"]);
        check("1", &[itself, child], &[below, "/private/comments"]);
        check("infinity", &[itself, child, below], &["/private/comments", "/private"]);
    }
}
