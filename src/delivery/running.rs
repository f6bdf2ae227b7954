//! One visit's script: what it is given, and what comes of it.

use super::evaluate::{Bounds, Evaluation, Way, World};
use super::host::{self, AddressHost, EventItems};
use super::mail::Mail;
use super::plan::Fate;
use super::shelf::NoScript;
use crate::directory::{Local, Resolution};
use crate::filter::{
    self, Action, ActionKind, Automatic, Cause, Content, DuplicateEntry, Phase, ScriptError, ScriptKind, ScriptName,
    Suppressed, Suppression,
};
use crate::message::Structure;
use crate::rules::SectionLines;
use crate::types::{Address, Envelope, Recipient};
use std::sync::Arc;

/// What came of one visit's script.
#[derive(Default)]
pub(super) struct Ran {
    pub(super) actions: Vec<Action>,
    pub(super) suppressed: Vec<Suppressed>,
    pub(super) errors: Vec<ScriptError>,
    pub(super) duplicates: Vec<DuplicateEntry>,
    pub(super) sections: SectionLines,
    /// It could not run, and the message must wait.
    pub(super) refused: Option<(Fate, Cause)>,
}

impl Ran {
    fn of(run: filter::Run, sections: SectionLines) -> Self {
        let filter::Run { actions, suppressed, errors, duplicates, .. } = run;
        Self { actions, suppressed, errors, duplicates, sections, refused: None }
    }
}

/// A script that runs over mail in a mailbox.
pub(super) struct RunOf<'r> {
    pub(super) script: &'r Arc<filter::Script>,
    pub(super) name: &'r Arc<ScriptName>,
    pub(super) items: EventItems<'r>,
    /// Those the message has.
    pub(super) flags: &'r [String],
}

/// Runs it. There is no envelope and no recipient (RFC 6785 section 4).
pub(super) fn run_in_place(
    world: &World<'_>,
    mail: &Mail,
    message: &[u8],
    structure: &Structure,
    local: &Local,
    of: &RunOf<'_>,
) -> filter::Run {
    let mut own_addresses = world.snapshot.also_known_as(local.address());
    own_addresses.push(local.address().clone());
    let account = local.account().and_then(|account| world.snapshot.account_by_id(account));
    let incoming = filter::Incoming {
        message,
        structure: Some(structure),
        envelope: &Envelope::default(),
        recipient: None,
        address: local.address(),
        flags: of.flags,
        own_addresses: &own_addresses,
        owner_name: account.map(|account| account.names.display.as_str()).filter(|name| !name.is_empty()),
        now: mail.now,
        remote_ip: None,
        remote_host: None,
        hostname: world.hostname,
        phase: Phase::Post,
    };
    let host = AddressHost::new(world, local, mail.now).in_place(of.items);
    filter::run(of.script, of.name, &incoming, &host, &Bounds::of(world.snapshot).script)
}

impl Evaluation<'_> {
    pub(super) fn run_script(&self, local: &Local, way: &Way) -> Ran {
        let world = self.world;
        let version = Some(u64::from(local.record.compiled_version));
        let name = ScriptName { name: local.address().to_string(), version, kind: ScriptKind::Compiled };
        let name = Arc::new(name);
        let (script, sections) = match world.shelf.compiled(&local.record) {
            Ok(found) => found,
            // Try again later: what the rules want is not known, and keeping the message could be the opposite of it.
            Err(NoScript::Store(error)) => {
                tracing::error!(address = %name.name, %error, "the address's script could not be read; the message waits");
                let cause = Cause { script: name, line: 0, column: 0 };
                return Ran { refused: Some((Fate::RulesFailed, cause)), ..Ran::default() };
            }
            Err(why) => return Ran::of(host::kept_for_lack_of_a_script(&name, &why), SectionLines::default()),
        };
        let mut own_addresses = world.snapshot.also_known_as(local.address());
        own_addresses.push(local.address().clone());
        let account = local.account().and_then(|account| world.snapshot.account_by_id(account));
        let host = AddressHost::new(world, local, self.mail.now);
        let recipient =
            Recipient { address: way.written.clone(), ..self.mail.envelope.recipients[way.recipient].clone() };
        let edited;
        let (message, structure) = match &way.content {
            Content::Original => (self.message, self.structure),
            Content::Edited(octets) => {
                edited = Structure::scan(octets);
                (octets.as_ref(), &edited)
            }
        };
        let incoming = filter::Incoming {
            message,
            structure: Some(structure),
            envelope: &self.mail.envelope,
            recipient: Some(&recipient),
            address: local.address(),
            flags: &[],
            own_addresses: &own_addresses,
            owner_name: account.map(|account| account.names.display.as_str()).filter(|name| !name.is_empty()),
            now: self.mail.now,
            remote_ip: self.mail.remote_ip,
            remote_host: self.mail.remote_host.as_deref(),
            hostname: world.hostname,
            phase: Phase::During,
        };
        Ran::of(filter::run(&script, &name, &incoming, &host, &self.bounds.script), sections)
    }

    /// RFC 5230 section 4.2 counts answers for each owner: one message gets one from each, by whichever of his addresses.
    pub(super) fn answer_once(&mut self, address: &Address, run: &mut Ran) {
        if !run.actions.iter().any(|action| matches!(action.kind, ActionKind::Reply(_))) {
            return;
        }
        if self.answered.insert(self.answers_for(address)) {
            return;
        }
        let suppressed = &mut run.suppressed;
        run.actions.retain(|action| {
            let is_reply = matches!(action.kind, ActionKind::Reply(_));
            if is_reply {
                let (what, reason) = (Automatic::Reply, Suppression::SecondAnswer);
                suppressed.push(Suppressed { what, reason, cause: action.cause.clone() });
            }
            !is_reply
        });
    }

    /// Who answers when this address does: at the end of its masks.
    fn answers_for(&self, address: &Address) -> Address {
        let mut at = address.clone();
        for _ in 0..self.bounds.hops {
            let Some(owner) = self.owner(&at) else { break };
            let Resolution::Local(local) = self.world.snapshot.resolve(owner) else { break };
            at = local.address().clone();
        }
        at
    }
}
