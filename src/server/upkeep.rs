//! What the house does for itself while nobody asks: throws away what nobody names any more, forgets what no longer
//! counts, lets go of parked mail whose time is over.

use super::House;
use crate::admin::{Caller, Progress};
use crate::delivery::DeliveryError;
use crate::net::Shutdown;
use crate::store::StoreError;
use crate::types::limits::{LEDGER_KEEP_DAYS, RETURN_PATH_DAYS, SCRIPT_FAULT_KEEP_DAYS};
use std::time::Duration;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// Of so many rounds one looks after keys: what it finds has waited for days.
const KEY_ROUNDS: u64 = 60;
/// And of so many, a day's, one reads all scripts again.
const SCRIPT_ROUNDS: u64 = 1440;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Until the shutdown is requested; a round under way is finished first, piece by piece.
pub(super) async fn run(house: House, shutdown: Shutdown) {
    refresh(&house).await;
    let mut rounds = 0_u64;
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            _ = ticks.tick() => {}
        }
        if rounds.is_multiple_of(SCRIPT_ROUNDS) {
            read_scripts(&house).await;
        }
        if let Err(error) = round(&house, &shutdown).await {
            // The next round tries again; meanwhile things are only kept longer than they need be.
            tracing::warn!(%error, "upkeep could not finish its round");
        }
        if rounds.is_multiple_of(KEY_ROUNDS) {
            make_missing_keys(&house).await;
            if let Err(refused) = house.admin.tend_keys().await {
                tracing::warn!(%refused, "DKIM keys could not be looked after");
            }
        }
        rounds += 1;
    }
}

/// What an older version compiled is compiled anew.
async fn refresh(house: &House) {
    let caller = Caller { author: "posthouse".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    match house.admin.refresh_compiled(&caller).await {
        Ok(0) => {}
        Ok(scripts) => tracing::info!(scripts, "scripts were compiled anew"),
        // The old ones go on doing what they did.
        Err(refused) => tracing::warn!(%refused, "scripts could not be compiled anew"),
    }
}

/// Domains from before keys were made with them.
async fn make_missing_keys(house: &House) {
    match house.admin.make_missing_keys().await {
        Ok(0) => {}
        Ok(domains) => tracing::info!(domains, "DKIM keys were made: posthouse dns shows the records to publish"),
        Err(refused) => tracing::error!(%refused, "DKIM keys could not be made"),
    }
}

async fn round(house: &House, shutdown: &Shutdown) -> Result<(), StoreError> {
    let store = &house.store;
    for account in store.overdue_accounts().await? {
        if shutdown.is_requested() {
            return Ok(());
        }
        store.purge_account(account).await?;
        house.directory.forget();
        tracing::info!(%account, "the time of a parked account is over: it and its mail are gone");
    }
    store.purge_removed_mailboxes().await?;
    tell_of_scripts(house).await?;
    let bodies = store.purge_orphans().await?;
    while !shutdown.is_requested() && store.forget_memories().await? > 0 {}
    while !shutdown.is_requested() && store.index_ledger().await? > 0 {}
    let before = store.clock().now().plus_seconds(-SCRIPT_FAULT_KEEP_DAYS * DAY_SECONDS);
    while !shutdown.is_requested() && store.trim_script_faults(before).await? > 0 {}
    let before = store.clock().now().plus_seconds(-LEDGER_KEEP_DAYS * DAY_SECONDS);
    while !shutdown.is_requested() && store.trim_ledger(before).await? > 0 {}
    // A day more than a return path counts: clocks differ.
    let before = store.clock().now().plus_seconds(-(RETURN_PATH_DAYS + 1) * DAY_SECONDS);
    store.forget_long_senders(before).await?;
    store.forget_transport_policies().await?;
    if bodies > 0 {
        tracing::debug!(bodies, "bodies nobody named are gone");
    }
    Ok(())
}

/// Owners hear by mail what is wrong with their scripts.
async fn tell_of_scripts(house: &House) -> Result<(), StoreError> {
    match house.delivery.tell_of_faults().await {
        Ok(0) => Ok(()),
        Ok(owners) => {
            tracing::info!(owners, "owners were told what is wrong with their scripts");
            Ok(())
        }
        Err(DeliveryError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "an owner could not be told what is wrong with his scripts");
            Ok(())
        }
    }
}

/// Scripts that ran well yesterday may include, redirect to or file into what is gone today.
async fn read_scripts(house: &House) {
    if let Err(refused) = house.admin.read_scripts().await {
        tracing::warn!(%refused, "scripts could not be read again");
    }
}
