//! Mail of the house to owners of scripts: what is wrong with them. At most once a day, however much there is.

use super::commit::own_envelope;
use super::{Answers, Delivery, DeliveryError, Mail, Origin};
use crate::message::{Notice, Stamp, new_message_id};
use crate::store::{AccountState, FaultRecord};
use crate::types::limits::SCRIPT_NOTICE_PAUSE_SECONDS;
use crate::types::{Address, Timestamp};
use std::fmt::Write as _;

impl Delivery {
    /// Tells who has not been told, and not of anything else today. Returns how many were.
    pub async fn tell_of_faults(&self) -> Result<usize, DeliveryError> {
        let now = self.0.store.clock().now();
        let due = self.0.store.faults_to_tell(now.plus_seconds(-SCRIPT_NOTICE_PAUSE_SECONDS)).await?;
        let mut told = 0;
        for (account, faults) in due {
            let Some(record) = self.0.store.account_by_id(account).await? else { continue };
            if matches!(record.state, AccountState::Parked { .. }) {
                continue;
            }
            // Noted first: killed between the two, we are silent for a day rather than say it twice.
            self.0.store.faults_told(account).await?;
            let Some(message) = self.notice(&record.address, &faults, now) else { continue };
            let mail = Mail {
                envelope: own_envelope(&record.address),
                origin: Origin::House,
                now,
                remote_ip: None,
                remote_host: None,
                session: "house".to_owned(),
                verdicts: String::new(),
                not_forwarded: None,
            };
            self.deliver(mail, Answers::One, message.len(), move |before| Ok([before, message].concat())).await?;
            told += 1;
        }
        Ok(told)
    }

    fn notice(&self, to: &Address, faults: &[FaultRecord], now: Timestamp) -> Option<Vec<u8>> {
        let from = Address::from_parts("postmaster", self.0.hostname.clone()).ok()?;
        let mut random = [0_u8; 12];
        getrandom::fill(&mut random).ok()?;
        let token: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
        let message_id = new_message_id(&format!("rules.{token}"), &self.0.hostname);
        let mut names: Vec<&str> = faults.iter().map(|record| record.fault.name.as_str()).collect();
        names.dedup();
        let subject = match names.as_slice() {
            [name] => format!("Something is wrong with your mail rules in “{name}”"),
            _ => format!("Something is wrong with your mail rules in {} scripts", names.len()),
        };
        let notice = Notice {
            from_name: Some("Mail rules"),
            from: &from,
            to,
            subject: &subject,
            stamp: Stamp { at: now, offset_seconds: 0, message_id: &message_id },
            text: &text(faults),
            fields: &[],
        };
        Some(notice.to_message())
    }
}

fn text(faults: &[FaultRecord]) -> String {
    let mut text = "This is wrong with the scripts that sort your mail:\n".to_owned();
    let mut last = None;
    for FaultRecord { fault, is_read, last: when, count, .. } in faults {
        if last.replace(&fault.name) != Some(&fault.name) {
            _ = write!(text, "\n{}, version {}\n", fault.name, fault.version);
        }
        _ = match fault.line {
            0 => writeln!(text, "  {}", fault.what),
            line => writeln!(text, "  line {line}: {}", fault.what),
        };
        if !is_read {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times, the last") };
            _ = writeln!(text, "    {times} at {}", when.rfc3339());
        }
    }
    text.push_str(
        "\nNo mail is lost by this: what a script could not finish with is in INBOX, or\n\
         was refused to its sender. You are told once a day at most, and no more when\n\
         the scripts are put right.\n",
    );
    text
}
