//! Accounts: the people behind mailboxes.

use super::causes::{AddressCause, DomainCause};
use super::change::{Decided, Done};
use super::draft::Draft;
use super::error::{Cause, Consequence, Refused};
use super::views::{self, AccountView};
use super::{Act, Admin, Caller, meant, reserved, words};
use crate::auth::Password;
use crate::rules::{AddressRules, PasswordViolation};
use crate::store::{AccountRecord, AccountState, Credentials, DomainKind, Names, NewAccount, ParkReason};
use crate::telemetry::Secret;
use crate::types::limits::PERSON_NAME_CHARACTERS_MAX;
use crate::types::{Address, Domain, Switches};
use serde::{Deserialize, Serialize};

/// A first or a new password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewPassword {
    #[serde(with = "revealed")]
    Given(Secret<String>),
    /// Made here and told once, in the answer.
    Generate,
}

/// Secrets cross the control socket, which belongs to the server's own user, and nothing else.
pub(super) mod revealed {
    use crate::telemetry::Secret;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.reveal())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountAdd {
    pub address: Address,
    pub name: String,
    pub first_name: String,
    pub last_name: String,
    pub quota_octets: Option<u64>,
    /// The first account is one anyway.
    pub administrator: bool,
    pub password: NewPassword,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountList {
    pub domain: Option<Domain>,
    /// Those that can be brought back, instead of those in use.
    pub parked: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountShow {
    pub address: Address,
}

/// What is `None` stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AccountChanges {
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub quota: Option<Quota>,
    pub administrator: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    None,
    Octets(u64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountSet {
    pub address: Address,
    #[serde(flatten)]
    pub changes: AccountChanges,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountPassword {
    pub address: Address,
    pub password: NewPassword,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountSuspend {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountResume {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountRemove {
    pub address: Address,
    /// Goes on although mail will be parked.
    pub yes: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountRestore {
    pub address: Address,
}

/// [`Done`], and the password if one was made here: told this once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountAdded {
    #[serde(flatten)]
    pub done: Done,
    pub address: Address,
    pub administrator: bool,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "revealed_option")]
    pub generated_password: Option<Secret<String>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordSet {
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "revealed_option")]
    pub generated_password: Option<Secret<String>>,
}

mod revealed_option {
    use crate::telemetry::Secret;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[allow(clippy::ref_option)] // serde's signature
    pub(crate) fn serialize<S: Serializer>(secret: &Option<Secret<String>>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.reveal().as_str()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

impl Act for AccountAdd {
    const NAME: &'static str = "account add";
    type Answer = AccountAdded;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<AccountAdded, Refused> {
        let settings = admin.settings();
        let snapshot = admin.directory().snapshot().await?;
        // A wrong name and a wrong password are told together, and before a hash is computed.
        let mut causes = Vec::new();
        if let Err(refused) = self.place(&mut Draft::new(&snapshot), &settings.address) {
            causes.extend(refused.0);
        }
        causes.extend(check_names(&self.address, &self.names()).err().map(Cause::Address));
        let password = admin.new_password(&self.address, &self.password);
        let (password, generated_password) = match password {
            Ok(password) if causes.is_empty() => password,
            Ok(_) => return Err(Refused(causes)),
            Err(refused) => {
                causes.extend(refused.0);
                return Err(Refused(causes));
            }
        };
        let credentials = admin.auth().credentials_for(&self.address, &password).await?;
        let (administrator, done) = admin
            .change(caller, Self::NAME, |draft| {
                let switches = self.place(draft, &settings.address)?;
                let first = draft.administrator().is_none();
                let administrator = self.administrator || first;
                draft.add_account(self.account(administrator, Some(credentials.clone())));
                draft.put(&self.address, switches);
                let mut decided = Decided::about(&self.address);
                if first {
                    decided = decided.note(format!("{} administers this server: it is the first", self.address));
                }
                if self.quota_octets == Some(0) {
                    decided = decided.note(quota_in_words(Some(0), 0));
                }
                if let Some(parked) = newest_parked(draft, &self.address) {
                    decided = decided.note(format!(
                        "an earlier account of this address stays parked with {}, out of reach while this one is here",
                        words::mail(parked.messages, parked.used_octets)
                    ));
                }
                Ok(decided.with(administrator))
            })
            .await?;
        Ok(AccountAdded { done, address: self.address.canonical(), administrator, generated_password })
    }
}

impl AccountAdd {
    /// What the address will do, if it can be had.
    fn place(&self, draft: &mut Draft<'_>, rules: &AddressRules) -> Result<Switches, Refused> {
        mailbox_place(draft, &self.address, rules)
    }

    fn names(&self) -> Names {
        Names { display: self.name.clone(), first: self.first_name.clone(), last: self.last_name.clone() }
    }

    fn account(&self, administrator: bool, credentials: Option<Credentials>) -> NewAccount {
        NewAccount {
            address: self.address.canonical(),
            names: self.names(),
            administrator,
            quota_octets: self.quota_octets,
            credentials,
        }
    }
}

/// Names go into headers and tables, where a line break would begin something else.
fn check_names(address: &Address, names: &Names) -> Result<(), AddressCause> {
    let is_wrong =
        |name: &String| name.chars().count() > PERSON_NAME_CHARACTERS_MAX || name.chars().any(char::is_control);
    if [&names.display, &names.first, &names.last].into_iter().any(is_wrong) {
        return Err(AddressCause::BadName(address.canonical()));
    }
    Ok(())
}

/// The switches of an address that gets a mailbox: of one that is new, or of postmaster, which gives way.
fn mailbox_place(draft: &Draft<'_>, address: &Address, rules: &AddressRules) -> Result<Switches, Refused> {
    if let Some(DomainKind::AliasOf(target)) = draft.domain_kind(address.domain()) {
        let (address, target) = (address.canonical(), target.clone());
        return Err(DomainCause::AccountInAlias { address, target }.into());
    }
    let before = draft.switches(address).filter(|_| reserved::is_untouched(draft, address)).cloned();
    match before {
        Some(switches) => Ok(Switches { mailbox: true, alias: None, ..switches }),
        None => draft.vacant(address, rules).map(|()| Switches { mailbox: true, ..Switches::default() }),
    }
}

impl Admin {
    /// A password that passes all rules, and its text if it was made here.
    fn new_password(
        &self,
        address: &Address,
        password: &NewPassword,
    ) -> Result<(Password, Option<Secret<String>>), Refused> {
        let rules = self.settings();
        let (text, generated) = match password {
            NewPassword::Given(text) => (text.clone(), None),
            NewPassword::Generate => {
                let made = self.auth().generate_password()?;
                (made.clone(), Some(made))
            }
        };
        let violations = rules.password.check(text.reveal(), address.local());
        let wrap: fn(PasswordViolation) -> Cause =
            if generated.is_some() { Cause::GeneratedPassword } else { Cause::PasswordRule };
        if !violations.is_empty() {
            return Err(Refused(violations.into_iter().map(wrap).collect()));
        }
        let prepared = Password::prepare(text.reveal()).map_err(Cause::Password)?;
        Ok((prepared, generated))
    }
}

impl Act for AccountList {
    const NAME: &'static str = "account list";
    type Answer = Vec<AccountView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<AccountView>, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let accounts = admin.store().directory().await?.accounts;
        let names = snapshot.own_names();
        // What is parked may be of a domain that is gone.
        if let (Some(domain), false) = (&self.domain, self.parked) {
            meant::domain(&snapshot, domain)?;
        }
        let wanted = |account: &&AccountRecord| {
            matches!(account.state, AccountState::Parked { .. }) == self.parked
                && self.domain.as_ref().is_none_or(|domain| account.address.domain() == domain)
        };
        Ok(accounts.iter().filter(wanted).map(|account| views::account(&snapshot, names, account)).collect())
    }
}

impl Act for AccountShow {
    const NAME: &'static str = "account show";
    type Answer = AccountView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<AccountView, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let account = match admin.store().account(&self.address).await? {
            Some(account) => account,
            None => {
                let mut parked = admin.store().parked_accounts(&self.address).await?;
                if parked.is_empty() {
                    return Err(meant::no_account(&snapshot, &self.address).into());
                }
                parked.remove(0)
            }
        };
        Ok(views::account(&snapshot, snapshot.own_names(), &account))
    }
}

fn quota_in_words(quota_octets: Option<u64>, used_octets: u64) -> String {
    let used = words::size(used_octets);
    match quota_octets {
        // It means no limit with some servers, and no mail with others.
        Some(0) => {
            "with a quota of 0 it takes no mail at all: what comes is put off; --quota none is without limit".to_owned()
        }
        Some(octets) => format!("its mail may take {}, {used} are used: what is more is put off", words::size(octets)),
        None => format!("its mail may take as much as there is room for, {used} are used"),
    }
}

fn account_in<'s>(draft: &Draft<'s>, address: &Address) -> Result<&'s AccountRecord, Refused> {
    Ok(meant::account(draft.snapshot, address)?)
}

impl Act for AccountSet {
    const NAME: &'static str = "account set";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let used = admin.store().account(&self.address).await?;
        let used_octets = used.as_ref().map_or(0, |account| account.used_octets);
        let (rights_changed, done) = admin
            .change(caller, Self::NAME, |draft| {
                let account = account_in(draft, &self.address)?;
                let mut after = account.clone();
                let changes = self.changes.clone();
                after.names.display = changes.name.unwrap_or(after.names.display);
                after.names.first = changes.first_name.unwrap_or(after.names.first);
                after.names.last = changes.last_name.unwrap_or(after.names.last);
                check_names(&self.address, &after.names)?;
                after.administrator = changes.administrator.unwrap_or(after.administrator);
                after.quota_octets = match changes.quota {
                    None => after.quota_octets,
                    Some(Quota::None) => None,
                    Some(Quota::Octets(octets)) => Some(octets),
                };
                if let Some(Quota::Octets(quota_octets)) = changes.quota
                    && quota_octets < used_octets
                {
                    return Err(Cause::QuotaBelowUse { quota_octets, used_octets }.into());
                }
                if after != *account {
                    draft.set_account(&after, after.administrator);
                }
                let mut decided = Decided::nothing_to_tell();
                if after.quota_octets != account.quota_octets {
                    decided = decided.note(quota_in_words(after.quota_octets, used_octets));
                }
                Ok(decided.with(after.administrator != account.administrator))
            })
            .await?;
        if let (true, Some(account)) = (rights_changed, used) {
            admin.auth().credentials_changed(account.id);
        }
        Ok(done)
    }
}

impl Act for AccountPassword {
    const NAME: &'static str = "account password";
    type Answer = PasswordSet;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<PasswordSet, Refused> {
        account_in(&Draft::new(&*admin.directory().snapshot().await?), &self.address)?;
        let (password, generated_password) = admin.new_password(&self.address, &self.password)?;
        let credentials = admin.auth().credentials_for(&self.address, &password).await?;
        let (account, _) = admin
            .change(caller, Self::NAME, |draft| {
                let account = account_in(draft, &self.address)?;
                draft.set_credentials(&account.address, credentials.clone());
                Ok(Decided::nothing_to_tell().with(account.id))
            })
            .await?;
        admin.auth().credentials_changed(account);
        Ok(PasswordSet { address: self.address.canonical(), generated_password })
    }
}

impl Act for AccountSuspend {
    const NAME: &'static str = "account suspend";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        set_state(admin, caller, Self::NAME, &self.address, &AccountState::Suspended).await
    }
}

impl Act for AccountResume {
    const NAME: &'static str = "account resume";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        set_state(admin, caller, Self::NAME, &self.address, &AccountState::Active).await
    }
}

async fn set_state(
    admin: &Admin,
    caller: &Caller,
    name: &str,
    address: &Address,
    state: &AccountState,
) -> Result<Done, Refused> {
    let (account, done) = admin
        .change(caller, name, |draft| {
            let account = account_in(draft, address)?;
            let decided = Decided::about(address);
            if account.state == *state {
                return Ok(decided.note(format!("{address} was so already")).with(account.id));
            }
            let decided = if *state == AccountState::Suspended {
                draft.suspend(&account.address);
                decided.note("nobody can log in to it, and senders are told to try again later")
            } else {
                draft.resume(&account.address);
                decided
            };
            // Unchanged, but what becomes of its mail is told.
            if let Some(switches) = draft.switches(address).cloned() {
                draft.put(address, switches);
            }
            Ok(decided.with(account.id))
        })
        .await?;
    admin.auth().credentials_changed(account);
    Ok(done)
}

impl Act for AccountRemove {
    const NAME: &'static str = "account remove";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let until = admin.parked_until();
        let used = admin.store().account(&self.address).await?;
        let address = self.address.canonical();
        let back = format!("posthouse account restore {address}");
        let (account, done) = admin
            .change(caller, Self::NAME, |draft| {
                let account = account_in(draft, &address)?;
                let (messages, octets) = used.as_ref().map_or((0, 0), |used| (used.messages, used.used_octets));
                if !self.yes {
                    let (address, back) = (address.clone(), back.clone());
                    return Err(Cause::NeedsYes(Consequence::Parks { address, messages, octets, until, back }).into());
                }
                draft.park(&address, ParkReason::Removed, until);
                draft.put_or_remove(&address, Switches::default());
                let parked = format!("{} parked until {}: {back}", words::mail(messages, octets), words::day(until));
                Ok(Decided::about(&address).note(parked).with(account.id))
            })
            .await?;
        admin.auth().credentials_changed(account);
        Ok(done)
    }
}

pub(super) fn newest_parked<'s>(draft: &Draft<'s>, address: &Address) -> Option<&'s AccountRecord> {
    let address = address.canonical();
    let since = |account: &&AccountRecord| match account.state {
        AccountState::Parked { since, .. } => Some((since, account.id)),
        AccountState::Active | AccountState::Suspended => None,
    };
    let accounts = draft.snapshot.accounts().iter();
    accounts.filter(|account| account.address == address && since(account).is_some()).max_by_key(since)
}

impl Act for AccountRestore {
    const NAME: &'static str = "account restore";
    type Answer = Done;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Done, Refused> {
        let whole = admin.change(caller, Self::NAME, |draft| self.decide(draft, AsParked::Whole)).await;
        let refused = match whole {
            Ok((account, done)) => {
                admin.auth().credentials_changed(account);
                return Ok(done);
            }
            Err(refused) => refused,
        };
        let by_the_world = refused.0.iter().all(|cause| matches!(cause, Cause::Proof(_) | Cause::Switches(..)));
        if !by_the_world {
            return Err(refused);
        }
        // The world went on without it. The mail comes back in any case; what no longer fits comes back paused, with all
        // its settings.
        let (account, done) = admin.change(caller, Self::NAME, |draft| self.decide(draft, AsParked::Paused)).await?;
        admin.auth().credentials_changed(account);
        let done = done.note(format!("its redirection and responder came back paused, because: {refused}"));
        Ok(done)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AsParked {
    Whole,
    Paused,
}

impl AccountRestore {
    fn decide(&self, draft: &mut Draft<'_>, form: AsParked) -> Result<Decided<crate::types::AccountId>, Refused> {
        let address = self.address.canonical();
        if draft.snapshot.account(&address).is_some() {
            return Err(AddressCause::AccountExists(address).into());
        }
        let parked = newest_parked(draft, &address).ok_or_else(|| AddressCause::NoParkedAccount(address.clone()))?;
        // The rules for new addresses don't matter: it was here before.
        let lenient =
            AddressRules { characters_min: 0, characters_max: usize::MAX, characters: address.local().into() };
        mailbox_place(draft, &address, &lenient)?;
        let mut switches = parked.parked_switches.clone().unwrap_or_default();
        switches.mailbox = true;
        if form == AsParked::Paused {
            switches.redirection.iter_mut().for_each(|redirection| redirection.paused = true);
            switches.responder.iter_mut().for_each(|responder| responder.paused = true);
        }
        draft.unpark(parked);
        draft.put(&address, switches);
        let back = format!("{} are back", words::mail(parked.messages, parked.used_octets));
        Ok(Decided::about(&address).note(back).with(parked.id))
    }
}
