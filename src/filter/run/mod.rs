//! Runs a script on a message: drives the engine, answers what it asks, and collects what it wants done.
//!
//! Invariants: nothing outside of the run changes; the engine's own actions, its implicit keep included, never happen
//! (every action is a call, and the frame around the script ends the run before the engine would); a script that fails
//! takes only its own actions with it, and the message is kept.

mod decide;
mod outgoing;
mod sources;

use super::call::{Call, CallKind, Mark};
use super::fields;
use super::host::{Host, IncludePlace, Included, Incoming, Limits};
use super::lexer::Position;
use super::plan::{Action, ActionKind, Cause, Content, KeepReason, Run, ScriptError, ScriptErrorKind, ScriptName};
use super::script::{COMPILER, Script, ScriptKind};
use super::text::DOLLAR_VARIABLE;
use crate::message::{Bodies, Structure, script_message};
use crate::types::limits;
use decide::Decisions;
use sieve::runtime::RuntimeError;
use sieve::{Context, Event, Input, Mailbox};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

static ENGINE: LazyLock<sieve::Runtime> = LazyLock::new(|| {
    sieve::Runtime::new()
        .with_cpu_limit(limits::SIEVE_INSTRUCTIONS_MAX)
        // The frame and the script itself count as two.
        .with_max_nested_includes(limits::SIEVE_INCLUDE_DEPTH_MAX + 2)
        .with_max_variable_size(limits::SIEVE_VARIABLE_OCTETS_MAX)
        .with_max_header_size(limits::SIEVE_ADDED_HEADER_OCTETS_MAX)
        // RFC 5293 section 4: these tell where a message has been and that a machine wrote it.
        .with_protected_headers(["Received", "Auto-Submitted", "Original-Subject", "Original-From"])
});

/// A name no script can include, because it has a control character.
const FRAME_TARGET: &str = "\u{1}";

/// Runs the script as an included one, so that the end of it, however it comes, leads back to us.
static FRAME: LazyLock<Option<Arc<sieve::Sieve>>> = LazyLock::new(|| {
    let text = format!("include :global \"{FRAME_TARGET}\";\nif mailboxexists [\"0.0\"] {{}}\n");
    COMPILER.compile(text.as_bytes()).ok().map(Arc::new)
});

/// What `script` wants done with a message. It always comes to an end within `limits`, and never to nothing: a failure
/// is among the run's errors and the message is kept.
pub fn run(
    script: &Arc<Script>,
    name: &Arc<ScriptName>,
    incoming: &Incoming<'_>,
    host: &dyn Host,
    limits: &Limits,
) -> Run {
    let scanned;
    let structure = match incoming.structure {
        Some(structure) => structure,
        None => {
            scanned = Structure::scan(incoming.message);
            &scanned
        }
    };
    let mut run =
        Runner { script, name, incoming, host, limits, structure, bodies: Bodies::Omitted, failed: Vec::new() };
    let started = Instant::now();
    // Every attempt but the last takes one more included script out, or adds the bodies; together they take no more time
    // than two scripts may.
    loop {
        match run.attempt() {
            Ok(decisions) => return run.finish(decisions),
            Err(Halt::NeedBodies) => run.bodies = Bodies::Decoded,
            Err(Halt::Failed { decisions, error, included: None }) => return run.finish_failed(*decisions, error),
            Err(Halt::Failed { decisions, error, .. }) if started.elapsed() > 2 * limits.time => {
                return run.finish_failed(*decisions, error);
            }
            Err(Halt::Failed { error, included: Some((place, name)), .. }) => {
                run.failed.push(FailedInclude { place, name, error });
            }
        }
    }
}

struct Runner<'r> {
    script: &'r Arc<Script>,
    name: &'r Arc<ScriptName>,
    incoming: &'r Incoming<'r>,
    host: &'r dyn Host,
    limits: &'r Limits,
    structure: &'r Structure,
    bodies: Bodies,
    /// Included scripts that have failed, which are passed over from then on.
    failed: Vec<FailedInclude>,
}

struct FailedInclude {
    place: IncludePlace,
    name: String,
    error: ScriptError,
}

/// Why an attempt did not come to its end.
enum Halt {
    NeedBodies,
    Failed {
        decisions: Box<Decisions>,
        error: ScriptError,
        /// The include that can be passed over, when the script of an address's switches has made one.
        included: Option<(IncludePlace, String)>,
    },
}

impl Runner<'_> {
    fn cause(&self, script: &Arc<ScriptName>, at: Position) -> Cause {
        Cause { script: script.clone(), line: at.line, column: at.column }
    }

    fn attempt(&self) -> Result<Decisions, Halt> {
        let mut attempt = Attempt::new(self);
        // The engine is not ours: should it panic on some message, the message is kept like after any other failure.
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| attempt.drive()))
            .unwrap_or(Err(Stop::Failed(ScriptErrorKind::Engine)));
        match ended {
            Ok(()) => Ok(attempt.decisions),
            Err(Stop::NeedBodies) => Err(Halt::NeedBodies),
            Err(Stop::Failed(kind)) => Err(attempt.halt(kind)),
        }
    }

    fn finish(&self, mut decisions: Decisions) -> Run {
        let errors = self.failed.iter().map(|failed| failed.error.clone());
        decisions.errors.splice(0..0, errors);
        decisions.into_run()
    }

    /// RFC 5228 section 2.10.6: the message is kept. What a person's script wanted before it failed is forgotten with it;
    /// what the switches of an address wanted stands, because it was right up to there.
    fn finish_failed(&self, mut decisions: Decisions, error: ScriptError) -> Run {
        if self.script.kind != ScriptKind::Compiled {
            decisions.forget_actions();
        }
        let cause = error.cause.clone();
        decisions.errors.push(error);
        decisions.keep_after_failure(cause);
        self.finish(decisions)
    }
}

/// Ends the engine's part of an attempt.
enum Stop {
    NeedBodies,
    Failed(ScriptErrorKind),
}

impl From<ScriptErrorKind> for Stop {
    fn from(kind: ScriptErrorKind) -> Self {
        Self::Failed(kind)
    }
}

/// A script that has come up in this attempt.
struct Loaded {
    script: Arc<Script>,
    name: Arc<ScriptName>,
    /// How it was included; the first is not.
    included: Option<(IncludePlace, String)>,
}

struct Attempt<'r> {
    runner: &'r Runner<'r>,
    started: Instant,
    loaded: Vec<Loaded>,
    /// Indices into `loaded`: the script that runs now is the last.
    stack: Vec<usize>,
    at: Position,
    decisions: Decisions,
    includes: usize,
    edits: usize,
    work_octets: u64,
    /// Known once it has been asked for; forgotten when the message changes.
    header_octets: Option<u64>,
    content: Option<Content>,
}

impl<'r> Attempt<'r> {
    fn new(runner: &'r Runner<'r>) -> Self {
        let decisions = Decisions::new(runner.incoming);
        Self {
            runner,
            started: Instant::now(),
            loaded: Vec::new(),
            stack: Vec::new(),
            at: Position { line: 1, column: 1 },
            decisions,
            includes: 0,
            edits: 0,
            work_octets: 0,
            header_octets: None,
            content: None,
        }
    }

    fn drive(&mut self) -> Result<(), Stop> {
        let runner = self.runner;
        let incoming = runner.incoming;
        let message = script_message(incoming.message, runner.structure, runner.bodies);
        let mut context = ENGINE.filter_parsed(message).with_user_address(incoming.address.to_string());
        if let Some(name) = incoming.owner_name {
            context.set_user_full_name(name);
        }
        context.set_global_variable(DOLLAR_VARIABLE, "$");
        let Some(frame) = FRAME.as_ref() else { return Err(ScriptErrorKind::Engine.into()) };
        let mut input = Input::script("frame", frame.clone());
        loop {
            let event = match context.run(input) {
                Some(Ok(event)) => event,
                Some(Err(error)) => return Err(failure(&error).into()),
                // The frame's last call ends the run before this.
                None => return Err(ScriptErrorKind::Engine.into()),
            };
            if self.started.elapsed() > runner.limits.time {
                return Err(ScriptErrorKind::TooLong.into());
            }
            input = match event {
                Event::IncludeScript { name, optional } => self.include(&name, optional)?,
                Event::MailboxExists { mailboxes, .. } => match self.call(&mut context, mailboxes)? {
                    Answer::Result(result) => result.into(),
                    Answer::End => return Ok(()),
                },
                _ => return Err(ScriptErrorKind::Engine.into()),
            };
        }
    }

    fn include(&mut self, name: &sieve::Script, optional: bool) -> Result<Input, Stop> {
        if self.loaded.is_empty() {
            let script = self.runner.script.clone();
            let engine = script.engine.clone();
            self.loaded.push(Loaded { script, name: self.runner.name.clone(), included: None });
            self.stack.push(0);
            return Ok(Input::Script { name: name.clone(), script: engine });
        }
        let (place, text) = match name {
            sieve::Script::Personal(text) => (IncludePlace::Personal, text),
            sieve::Script::Global(text) => (IncludePlace::Global, text),
        };
        self.includes += 1;
        if self.includes > self.runner.limits.includes {
            return Err(ScriptErrorKind::TooManyIncludes.into());
        }
        if let Some(failed) = self.runner.failed.iter().find(|failed| failed.place == place && failed.name == *text) {
            self.decisions.keep_after_failure(failed.error.cause.clone());
            return Ok(Input::False);
        }
        match self.runner.host.include(place, text) {
            Included::Script(script, name_of_it) => {
                let engine = script.engine.clone();
                let included = Some((place, text.clone()));
                self.loaded.push(Loaded { script, name: name_of_it, included });
                self.stack.push(self.loaded.len() - 1);
                Ok(Input::Script { name: name.clone(), script: engine })
            }
            Included::Missing if optional => Ok(Input::False),
            Included::Missing => self.include_failed(ScriptErrorKind::IncludeMissing(text.clone())),
            Included::Broken(error) => self.include_failed(ScriptErrorKind::IncludeBroken(text.clone(), error)),
        }
    }

    /// A script that can't even begin is passed over by the script of an address's switches like one that fails.
    fn include_failed(&mut self, kind: ScriptErrorKind) -> Result<Input, Stop> {
        if self.current().script.kind != ScriptKind::Compiled {
            return Err(kind.into());
        }
        let cause = self.cause();
        self.decisions.errors.push(ScriptError { cause: cause.clone(), kind });
        self.decisions.keep_after_failure(cause);
        Ok(Input::False)
    }

    fn call(&mut self, context: &mut Context<'_>, mailboxes: Vec<Mailbox>) -> Result<Answer, Stop> {
        let mut strings = mailboxes.into_iter().map(|mailbox| match mailbox {
            Mailbox::Name(text) | Mailbox::Id(text) => text,
        });
        let id = strings.next().unwrap_or_default();
        let (serial, number) = id.split_once('.').unwrap_or_default();
        let (Ok(serial), Ok(number)) = (serial.parse::<u64>(), number.parse::<usize>()) else {
            return Err(ScriptErrorKind::Engine.into());
        };
        if serial == 0 {
            self.end(context)?;
            return Ok(Answer::End);
        }
        let script = self.enter(serial).ok_or(ScriptErrorKind::Engine)?;
        let Some(call) = script.calls.get(number) else { return Err(ScriptErrorKind::Engine.into()) };
        self.at = call.at;
        let carried: Vec<String> = strings.collect();
        if matches!(call.kind, CallKind::Stop) {
            self.trace();
            self.end(context)?;
            return Ok(Answer::End);
        }
        self.perform(context, call, &carried).map(Answer::Result)
    }

    /// Makes the script with this serial the current one: what was included has ended when its includer calls again.
    fn enter(&mut self, serial: u64) -> Option<Arc<Script>> {
        let is_it = |index: &usize| self.loaded[*index].script.serial == serial;
        match self.stack.iter().rposition(is_it) {
            Some(depth) => self.stack.truncate(depth + 1),
            // Included for a second time, which the engine does by itself.
            None => self.stack.push(self.loaded.iter().rposition(|loaded| loaded.script.serial == serial)?),
        }
        self.stack.last().map(|index| self.loaded[*index].script.clone())
    }

    fn perform(&mut self, context: &mut Context<'_>, call: &Call, carried: &[String]) -> Result<bool, Stop> {
        match &call.kind {
            CallKind::Mark(mark) => self.mark(context, mark).map(|()| true),
            CallKind::SaveMatches => {
                for (name, value) in MATCH_VARIABLES.iter().zip(carried) {
                    context.set_global_variable(*name, value.clone());
                }
                Ok(true)
            }
            CallKind::Patterns { patterns, regex } => {
                for pattern in patterns {
                    let text = fields::resolve(pattern, carried);
                    let is_refused = *regex && super::script::refuse_pattern(text).is_some();
                    if is_refused || text.len() > limits::SIEVE_GLOB_OCTETS_MAX {
                        return Err(ScriptErrorKind::NotAPattern(text.chars().take(80).collect()).into());
                    }
                }
                Ok(true)
            }
            CallKind::Measure { patterns } => {
                let octets: usize = carried.iter().map(String::len).sum();
                self.charge(octets as u64, *patterns)?;
                Ok(true)
            }
            CallKind::Test(test) => self.test(context, test, carried),
            CallKind::Stop => Ok(true),
            _ => {
                self.trace();
                self.act(context, &call.kind, carried)?;
                Ok(true)
            }
        }
    }

    fn mark(&mut self, context: &Context<'_>, mark: &Mark) -> Result<(), Stop> {
        match mark {
            Mark::Condition { patterns } => {
                self.trace();
                self.charge_header(context, *patterns)?;
            }
            Mark::Include => self.trace(),
            Mark::Loop => {
                // What was replaced or enclosed inside the loop may have taken the part with it.
                if context.part() as usize >= context.message().parts.len() {
                    return Err(ScriptErrorKind::PartGone.into());
                }
            }
            Mark::ExtractText => {
                if self.runner.bodies == Bodies::Omitted {
                    return Err(Stop::NeedBodies);
                }
                let part = context.message().parts.get(context.part() as usize);
                self.charge(part.map_or(0, mail_parser::MessagePart::len) as u64, 1)?;
            }
            Mark::Replace => {
                let part = context.message().parts.get(context.part() as usize);
                let has_parts = part.and_then(|part| part.sub_parts()).is_some_and(|parts| !parts.is_empty());
                // The engine renumbers the parts behind those it takes out, and loses track of them.
                if context.part() > 0 && has_parts {
                    return Err(ScriptErrorKind::ReplaceOfParts.into());
                }
                self.edit()?;
            }
            Mark::Edit { patterns } => {
                self.charge_header(context, *patterns)?;
                self.edit()?;
            }
        }
        Ok(())
    }

    fn edit(&mut self) -> Result<(), Stop> {
        self.trace();
        self.edits += 1;
        self.header_octets = None;
        self.content = None;
        if self.edits > self.runner.limits.edits {
            return Err(ScriptErrorKind::TooManyEdits.into());
        }
        Ok(())
    }

    /// What a test is about to read counts against the run: instructions alone say nothing of how long one takes.
    fn charge(&mut self, octets: u64, times: u32) -> Result<(), Stop> {
        self.work_octets = self.work_octets.saturating_add(octets.saturating_mul(u64::from(times)));
        if self.work_octets > self.runner.limits.work_octets {
            return Err(ScriptErrorKind::TooMuchWork.into());
        }
        Ok(())
    }

    fn charge_header(&mut self, context: &Context<'_>, times: u32) -> Result<(), Stop> {
        if times == 0 {
            return Ok(());
        }
        let octets = *self.header_octets.get_or_insert_with(|| fields::header_octets(context.message()));
        self.charge(octets, times)
    }

    /// The message as it is now. Each version that an action is about stays in memory, so it is paid for.
    fn content(&mut self, context: &Context<'_>) -> Result<Content, Stop> {
        if self.edits == 0 {
            return Ok(Content::Original);
        }
        if let Some(content) = &self.content {
            return Ok(content.clone());
        }
        self.charge(self.runner.incoming.message.len() as u64, 1)?;
        let octets = super::edit::octets(context.message(), self.runner.incoming.hostname);
        // Deleting a field that is not there changes nothing, and keeps signatures.
        let is_original = octets == self.runner.incoming.message;
        let content = if is_original { Content::Original } else { Content::Edited(octets.into()) };
        self.content = Some(content.clone());
        Ok(content)
    }

    fn current(&self) -> &Loaded {
        let index = self.stack.last().copied().unwrap_or_default();
        &self.loaded[index]
    }

    fn cause(&self) -> Cause {
        match self.loaded.is_empty() {
            true => self.runner.cause(self.runner.name, self.at),
            false => self.runner.cause(&self.current().name, self.at),
        }
    }

    fn trace(&mut self) {
        if self.decisions.trace.len() < limits::SIEVE_TRACE_MAX {
            let cause = self.cause();
            self.decisions.trace.push(cause);
        }
    }

    /// RFC 5228 section 2.10.2.
    fn end(&mut self, context: &Context<'_>) -> Result<(), Stop> {
        if self.decisions.implicit_keep {
            let content = self.content(context)?;
            let flags = self.decisions.flags.clone();
            let cause = self.cause();
            self.decisions.store(Action {
                kind: ActionKind::Keep { flags, why: KeepReason::Implicit },
                content,
                cause,
            });
        }
        Ok(())
    }

    /// Says which script has failed: the one that the script of an address's switches has included, when there is one.
    fn halt(self, kind: ScriptErrorKind) -> Halt {
        let error = ScriptError { cause: self.cause(), kind };
        let kind_of = |depth: usize| self.stack.get(depth).map(|index| self.loaded[*index].script.kind);
        let unit = (1..self.stack.len()).rev().find(|depth| kind_of(depth - 1) == Some(ScriptKind::Compiled));
        let included = unit.and_then(|depth| self.loaded[self.stack[depth]].included.clone());
        Halt::Failed { decisions: Box::new(self.decisions), error, included }
    }
}

enum Answer {
    Result(bool),
    End,
}

fn failure(error: &RuntimeError) -> ScriptErrorKind {
    match error {
        RuntimeError::TooManyIncludes => ScriptErrorKind::TooManyIncludes,
        RuntimeError::CPULimitReached => ScriptErrorKind::TooManyInstructions,
        RuntimeError::ScriptErrorMessage(text) => ScriptErrorKind::Script(text.clone()),
        RuntimeError::InvalidInstruction(_)
        | RuntimeError::CapabilityNotAllowed(_)
        | RuntimeError::CapabilityNotSupported(_) => ScriptErrorKind::Engine,
    }
}

/// Where `${0}` and its like are kept.
const MATCH_VARIABLES: [&str; limits::SIEVE_MATCH_VARIABLES_MAX] = [
    "ph_m0", "ph_m1", "ph_m2", "ph_m3", "ph_m4", "ph_m5", "ph_m6", "ph_m7", "ph_m8", "ph_m9", "ph_m10", "ph_m11",
    "ph_m12", "ph_m13", "ph_m14", "ph_m15", "ph_m16", "ph_m17", "ph_m18", "ph_m19", "ph_m20", "ph_m21", "ph_m22",
    "ph_m23", "ph_m24", "ph_m25", "ph_m26", "ph_m27", "ph_m28", "ph_m29", "ph_m30", "ph_m31",
];
