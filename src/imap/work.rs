//! How far a command has come that takes long: the session notes it, the driver tells it (RFC 9585).

use super::grammar::{Body, Tag};
use super::replies::{Code, Replies, Status};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared between the two; nobody waits for it.
#[derive(Debug, Default)]
pub(super) struct Work {
    tag: Mutex<Option<Tag>>,
    done: AtomicU64,
    of: AtomicU64,
    changes_nothing: AtomicBool,
}

impl Work {
    /// A command begins. Only those are told of that say nothing before their end: a line in the middle of what another
    /// says would be taken for a part of it.
    pub(super) fn begin(&self, tag: &Tag, body: &Body) {
        let changes_nothing =
            matches!(body, Body::Search { .. } | Body::Sort { .. } | Body::Thread { .. } | Body::MultiSearch { .. });
        let changes = matches!(
            body,
            Body::Copy { .. } | Body::Move { .. } | Body::Store(_) | Body::Expunge | Body::UidExpunge(_)
        );
        self.set(0, 0);
        self.changes_nothing.store(changes_nothing, Ordering::Relaxed);
        *self.tag.lock().unwrap_or_else(PoisonError::into_inner) = (changes_nothing || changes).then(|| tag.clone());
    }

    pub(super) fn end(&self) {
        self.changes_nothing.store(false, Ordering::Relaxed);
        *self.tag.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// So many steps are done, of so many; 0 when it is not known yet.
    pub(super) fn set(&self, done: u64, of: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.of.store(of, Ordering::Relaxed);
    }

    /// Whether the command may be dropped half way when there is nobody left to hear its answer.
    pub(super) fn can_be_left(&self) -> bool {
        self.changes_nothing.load(Ordering::Relaxed)
    }

    /// What to tell the client meanwhile.
    pub(super) fn news(&self) -> Option<Vec<u8>> {
        let tag = self.tag.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let of = Some(self.of.load(Ordering::Relaxed)).filter(|of| *of > 0);
        let done = of.map(|of| self.done.load(Ordering::Relaxed).min(of));
        let mut replies = Replies::default();
        let code = Code::InProgress { tag: tag.as_str().to_owned(), done, of };
        replies.untagged(Status::Ok, Some(&code), "Still busy with it");
        Some(replies.out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::framing::Framed;
    use super::super::grammar::{Command, Mode, parse};
    use super::*;

    fn begun(work: &Work, line: &str) {
        let framed = Framed { octets: line.as_bytes(), streamed: &[] };
        let Command { tag, body } = parse(framed, Mode::default()).expect("a command");
        work.begin(&tag, &body);
    }

    #[test]
    fn only_what_is_silent_until_its_end_is_told_of() {
        let work = Work::default();
        let news = |work: &Work| work.news().map(|news| String::from_utf8(news).expect("ASCII"));
        assert_eq!(news(&work), None);
        begun(&work, "a1 SEARCH ALL");
        assert_eq!(news(&work).as_deref(), Some("* OK [INPROGRESS (\"a1\" NIL NIL)] Still busy with it\r\n"));
        assert!(work.can_be_left());
        work.set(7, 12);
        assert_eq!(news(&work).as_deref(), Some("* OK [INPROGRESS (\"a1\" 7 12)] Still busy with it\r\n"));
        work.end();
        assert_eq!((news(&work), work.can_be_left()), (None, false));
        begun(&work, "a2 COPY 1:* Archive");
        assert_eq!(news(&work).as_deref(), Some("* OK [INPROGRESS (\"a2\" NIL NIL)] Still busy with it\r\n"));
        assert!(!work.can_be_left());
        begun(&work, "a3 FETCH 1:* BODY[]");
        assert_eq!(news(&work), None);
    }
}
