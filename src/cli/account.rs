//! `posthouse account`.

use super::desk::Desk;
use super::failure::Failure;
use super::output::{Output, Page, minute, quota};
use super::values;
use crate::admin::{
    AccountAdd, AccountChanges, AccountList, AccountPassword, AccountRemove, AccountRestore, AccountResume, AccountSet,
    AccountShow, AccountSuspend, AccountView, AppPasswordAdd, AppPasswordList, AppPasswordRemove, AppPasswordView,
    NewPassword, Quota,
};
use crate::types::{Address, Domain};
use clap::{ArgGroup, Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make an account with its mailbox
    ///
    /// Names and passwords must keep the rules of [address] and [password]; everything wrong is told at once. The first
    /// account administers the server: mail for postmaster and abuse goes to it.
    #[command(after_long_help = "\
Examples:
  posthouse account add jane@example.org --name 'Jane Doe' --quota 5G --generate-password
  printf 'Correct9Horse\\n' | posthouse account add john@example.org --password-stdin")]
    Add(NewAccount),
    /// List accounts, all or of one domain
    List {
        /// Only this domain
        #[arg(value_name = "DOMAIN", value_parser = values::domain)]
        domain: Option<Domain>,
        /// Those that were removed or converted, and can be brought back
        #[arg(long)]
        parked: bool,
    },
    /// Show one account: what its address does, its other names, its use of space
    Show {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Change names, quota or rights
    #[command(after_long_help = "\
Examples:
  posthouse account set jane@example.org --name 'Jane Roe' --quota none
  posthouse account set john@example.org --administrator")]
    Set(Changes),
    /// Set a new password; logins with the old one end at once
    #[command(group(ArgGroup::new("password").args(["password_stdin", "generate_password"]).required(true)))]
    #[command(after_long_help = "Example:\n  posthouse account password jane@example.org --generate-password")]
    Password {
        /// The account's address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Read it from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Make one up and print it
        #[arg(long)]
        generate_password: bool,
    },
    /// Let nobody log in to an account, and put mail to it off (450) until it is resumed
    Suspend {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Undo suspend
    Resume {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Remove an account; its mail is parked for [removal] keep_days
    Remove {
        /// Its address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Do it; without, it is only told what would happen
        #[arg(long)]
        yes: bool,
    },
    /// Bring back a removed account with its mail, password and switches
    Restore {
        /// What its address was
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Passwords for single programs, each revocable by itself
    AppPassword {
        #[command(subcommand)]
        action: AppAction,
    },
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("password").args(["password_stdin", "generate_password"]).required(true)))]
pub(super) struct NewAccount {
    /// Its address
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// Shown to those who get mail from it
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    name: String,
    /// First name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    first_name: String,
    /// Last name
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    last_name: String,
    /// The most its mail may take: a number with K, M, G or T behind it, counted in 1024, or none [default: none]
    #[arg(long, value_name = "SIZE", value_parser = values::quota)]
    quota: Option<Quota>,
    /// May administer this server
    #[arg(long)]
    administrator: bool,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Make a password up and print it
    #[arg(long)]
    generate_password: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["name", "first_name", "last_name", "quota", "administrator", "no_administrator"])
    .required(true).multiple(true)))]
pub(super) struct Changes {
    /// The account's address
    #[arg(value_name = "ADDRESS", value_parser = values::address)]
    address: Address,
    /// Shown to those who get mail from it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// First name
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    /// Last name
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    /// The most its mail may take: a number with K, M, G or T behind it, counted in 1024, or none
    #[arg(long, value_name = "SIZE", value_parser = values::quota)]
    quota: Option<Quota>,
    /// May administer this server
    #[arg(long, conflicts_with = "no_administrator")]
    administrator: bool,
    /// May not administer this server
    #[arg(long)]
    no_administrator: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AppAction {
    /// Make one and print it, this once
    #[command(after_long_help = "Example:\n  posthouse account app-password add jane@example.org 'phone'")]
    Add {
        /// The account's address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// What it is for
        #[arg(value_name = "LABEL")]
        label: String,
    },
    /// List labels and when each was last used
    List {
        /// The account's address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
    },
    /// Revoke one; logins with it end at once
    Remove {
        /// The account's address
        #[arg(value_name = "ADDRESS", value_parser = values::address)]
        address: Address,
        /// Which
        #[arg(value_name = "LABEL")]
        label: String,
    },
}

fn new_password(generate: bool) -> Result<NewPassword, Failure> {
    if generate { Ok(NewPassword::Generate) } else { values::password_from_stdin() }
}

pub(super) async fn run(action: Action, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        Action::Add(new) => add(new, desk, output).await,
        Action::List { domain, parked } => {
            let accounts = desk.perform(AccountList { domain, parked }).await?;
            output.answer(&accounts, |page| list(page, &accounts, parked))
        }
        Action::Show { address } => {
            let account = desk.perform(AccountShow { address }).await?;
            output.answer(&account, |page| show(page, &account))
        }
        Action::Set(changes) => set(changes, desk, output).await,
        Action::Password { address, generate_password, .. } => {
            let password = new_password(generate_password)?;
            let set = desk.perform(AccountPassword { address, password }).await?;
            output.answer(&set, |page| {
                page.strong_line(&format!("{} has a new password", set.address));
                if let Some(made) = &set.generated_password {
                    page.line(format!("password: {}", made.reveal()));
                }
            })
        }
        Action::Suspend { address } => {
            let headline = format!("account {address} is suspended");
            output.done(&desk.perform(AccountSuspend { address }).await?, &headline)
        }
        Action::Resume { address } => {
            let headline = format!("account {address} is active again");
            output.done(&desk.perform(AccountResume { address }).await?, &headline)
        }
        Action::Remove { address, yes } => {
            let headline = format!("account {address} is removed");
            output.done(&desk.perform(AccountRemove { address, yes }).await?, &headline)
        }
        Action::Restore { address } => {
            let headline = format!("account {address} is back");
            output.done(&desk.perform(AccountRestore { address }).await?, &headline)
        }
        Action::AppPassword { action } => app_password(action, desk, output).await,
    }
}

async fn add(new: NewAccount, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let NewAccount { address, name, first_name, last_name, quota, administrator, generate_password, .. } = new;
    let password = new_password(generate_password)?;
    let quota_octets = match quota {
        Some(Quota::Octets(octets)) => Some(octets),
        Some(Quota::None) | None => None,
    };
    let act = AccountAdd { address, name, first_name, last_name, quota_octets, administrator, password };
    let added = desk.perform(act).await?;
    output.answer(&added, |page| {
        page.done(&added.done, &format!("account {} is made", added.address));
        if let Some(made) = &added.generated_password {
            page.line(format!("password: {}", made.reveal()));
        }
    })
}

async fn set(changes: Changes, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    let Changes { address, name, first_name, last_name, quota, administrator, no_administrator } = changes;
    let administrator = if no_administrator { Some(false) } else { administrator.then_some(true) };
    let headline = format!("account {address} is changed");
    let changes = AccountChanges { name, first_name, last_name, quota, administrator };
    output.done(&desk.perform(AccountSet { address, changes }).await?, &headline)
}

fn list(page: &mut Page, accounts: &[AccountView], parked: bool) {
    if parked {
        let row = |one: &AccountView| {
            let (why, until) =
                one.parked.as_ref().map_or_else(Default::default, |parked| (parked.why.clone(), minute(&parked.until)));
            [one.address.to_string(), why, until, one.messages.to_string(), quota(one.used_octets, None)]
        };
        let header = ["ACCOUNT", "WHY", "UNTIL", "MESSAGES", "SIZE"];
        return page.table(header, accounts.iter().map(row), "nothing is parked");
    }
    let row = |one: &AccountView| {
        let state = if one.administrator { format!("{}, administrator", one.state) } else { one.state.clone() };
        let used = quota(one.used_octets, one.quota_octets);
        [one.address.to_string(), one.name.clone(), state, one.messages.to_string(), used]
    };
    let header = ["ACCOUNT", "NAME", "STATE", "MESSAGES", "SIZE"];
    page.table(header, accounts.iter().map(row), "no accounts");
}

fn show(page: &mut Page, account: &AccountView) {
    let names: Vec<String> = account.also_known_as.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("account", account.address.to_string()),
        ("name", account.name.clone()),
        ("first name", account.first_name.clone()),
        ("last name", account.last_name.clone()),
        ("state", account.state.clone()),
        ("administrator", if account.administrator { "yes" } else { "no" }.to_owned()),
        ("password", if account.has_password { "set" } else { "none yet" }.to_owned()),
        ("messages", account.messages.to_string()),
        ("size", quota(account.used_octets, account.quota_octets)),
        ("does", account.does.join("\n")),
        ("other names", names.join("\n")),
        ("since", minute(&account.created)),
    ];
    if let Some(parked) = &account.parked {
        facts.push((
            "parked",
            format!("{} on {}, kept until {}", parked.why, minute(&parked.since), minute(&parked.until)),
        ));
    }
    facts.retain(|(_, value)| !value.is_empty());
    page.facts(&facts);
}

async fn app_password(action: AppAction, desk: &mut Desk, output: &Output) -> Result<(), Failure> {
    match action {
        AppAction::Add { address, label } => {
            let made = desk.perform(AppPasswordAdd { address, label }).await?;
            output.answer(&made, |page| {
                page.strong_line(&format!("{} has an app password for {}", made.address, made.label));
                page.line(format!("password: {}", made.password.reveal()));
                page.note("it is shown this once");
            })
        }
        AppAction::List { address } => {
            let list = desk.perform(AppPasswordList { address }).await?;
            output.answer(&list, |page| app_passwords(page, &list))
        }
        AppAction::Remove { address, label } => {
            let headline = format!("the app password {label} of {address} is revoked");
            let left = desk.perform(AppPasswordRemove { address, label }).await?;
            output.answer(&left, |page| {
                page.strong_line(&headline);
                app_passwords(page, &left);
            })
        }
    }
}

fn app_passwords(page: &mut Page, list: &[AppPasswordView]) {
    let row = |one: &AppPasswordView| {
        let used = one.last_used.as_deref().map_or_else(|| "never".to_owned(), minute);
        [one.label.clone(), minute(&one.created), used]
    };
    page.table(["LABEL", "MADE", "LAST USED"], list.iter().map(row), "no app passwords");
}
