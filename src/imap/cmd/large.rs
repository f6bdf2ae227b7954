//! One large message on its way to a client: a chunk at a time is in memory, whatever the client asks of it.

use super::fetching::Job;
use crate::imap::cause::Cause;
use crate::imap::fetching::{Item, Record, Style, entry_item, no_content, record_item, start, start_content};
use crate::imap::grammar::FetchItem;
use crate::imap::replies::FetchReply;
use crate::mailbox::{Message, Part, PartStream, Want};

pub(super) struct Large {
    message: Message,
    /// `None` when it is finished.
    reply: Option<FetchReply>,
    items_done: usize,
    /// The item whose octets are being sent.
    stream: Option<PartStream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Some,
    All,
}

impl Record for Message {
    fn envelope(&self) -> &[u8] {
        self.envelope()
    }

    fn bodystructure(&self) -> &[u8] {
        self.bodystructure()
    }

    fn body(&self) -> Vec<u8> {
        self.body()
    }

    fn preview(&self) -> String {
        self.preview()
    }
}

impl Large {
    pub(super) fn begin(message: Message, number: u32, style: &Style, out: &mut Vec<u8>) -> Self {
        let reply = start(out, number, message.entry().uid, style);
        Self { message, reply: Some(reply), items_done: 0, stream: None }
    }

    /// Shows some more. Whatever goes wrong from here on, the client is in the middle of a reply: without its rest nothing
    /// that comes after could be understood.
    pub(super) async fn show(&mut self, job: &Job, out: &mut Vec<u8>) -> Result<Shown, Cause> {
        if let Some(stream) = &mut self.stream {
            match stream.next().await.map_err(Cause::WithinReply)? {
                Some(octets) => out.extend_from_slice(&octets),
                None => self.stream = None,
            }
            return Ok(Shown::Some);
        }
        let Some(reply) = &mut self.reply else { return Ok(Shown::All) };
        let entry = self.message.entry();
        let Some(Item { item, want }) = job.items.get(self.items_done) else {
            if job.shows_flags_too(entry) {
                reply.flags(out, entry.flags, &job.style.keywords);
            }
            if let Some(reply) = self.reply.take() {
                reply.finish(out);
            }
            return Ok(Shown::All);
        };
        self.items_done += 1;
        if entry_item(reply, out, item, entry, &job.style) || record_item(reply, out, item, &self.message, &job.style) {
            return Ok(Shown::Some);
        }
        let Some(want) = want else { return Ok(Shown::Some) };
        match self.message.part(want).await.map_err(Cause::WithinReply)? {
            Part::There(stream) => {
                let binary = is_binary(&self.message, item, want, stream.has_nul()).await?;
                if start_content(reply, out, item, stream.octets(), binary, &job.style) {
                    self.stream = Some(stream);
                }
            }
            Part::Missing => no_content(reply, out, item, &job.style),
            Part::UnknownEncoding => {
                no_content(reply, out, item, &job.style);
                job.note_unknown_encoding();
            }
        }
        Ok(Shown::Some)
    }
}

/// Whether NUL is among the octets, which has to be said before the first of them: they are read twice, and only for
/// BINARY.
async fn is_binary(message: &Message, item: &FetchItem, want: &Want, known: Option<bool>) -> Result<bool, Cause> {
    if !matches!(item, FetchItem::Binary { .. }) {
        return Ok(false);
    }
    if let Some(has_nul) = known {
        return Ok(has_nul);
    }
    let Part::There(mut stream) = message.part(want).await.map_err(Cause::WithinReply)? else { return Ok(false) };
    while let Some(octets) = stream.next().await.map_err(Cause::WithinReply)? {
        if memchr::memchr(0, &octets).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
