//! What a login reads, and what makes an earlier login worthless.

use super::world::{World, address, block_on};
use crate::store::{Credentials, DirectoryChange, LoginRecord, Names, ParkReason, StoreError, Thing};
use crate::types::Timestamp;

const JANE: &str = "jane@example.test";

fn credentials(salt: u8) -> Credentials {
    Credentials {
        argon2: "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
        scram_salt: vec![salt; 16],
        scram_iterations: 15_000,
        scram_stored_key: vec![2; 32],
        scram_server_key: vec![3; 32],
    }
}

impl World {
    async fn jane(&self) -> LoginRecord {
        self.store.login_record(&address(JANE)).await.expect("readable").expect("there")
    }

    async fn apply(&self, change: DirectoryChange) {
        let generation = self.store.directory_generation().await.expect("readable");
        self.store.change_directory(generation, vec![change]).await.expect("applied");
    }
}

#[test]
fn credentials_read_back_as_they_were_set() {
    block_on(async {
        let world = World::with_people().await;
        assert_eq!(world.jane().await.credentials, None);
        world.apply(DirectoryChange::SetCredentials { address: address(JANE), credentials: credentials(1) }).await;
        let world = world.reopened();
        let jane = world.jane().await;
        assert_eq!((jane.credentials, jane.address), (Some(credentials(1)), address(JANE)));
        assert_eq!(world.store.login_record(&address("JANE@example.test")).await, Ok(Some(world.jane().await)));
        assert_eq!(world.store.login_record(&address("joan@example.test")).await, Ok(None));
        assert!(!format!("{:?}", world.jane().await).contains("argon2id"));
        world.assert_sound();
    });
}

#[test]
fn the_generation_rises_with_whatever_ends_a_login() {
    block_on(async {
        let world = World::with_people().await;
        let id = world.jane().await.account;
        let mut last = world.jane().await.generation;
        let set = |administrator| DirectoryChange::SetAccount {
            address: address(JANE),
            names: Names::default(),
            administrator,
            quota_octets: None,
        };
        for (change, rises) in [
            (DirectoryChange::SetCredentials { address: address(JANE), credentials: credentials(1) }, true),
            (set(false), false),
            (set(true), true),
            (set(true), false),
            (set(false), true),
            (DirectoryChange::SuspendAccount(address(JANE)), true),
            (DirectoryChange::ResumeAccount(address(JANE)), true),
        ] {
            world.apply(change.clone()).await;
            let generation = world.jane().await.generation;
            assert_eq!(generation > last, rises, "{change:?}");
            last = generation;
        }
        world.store.add_app_password(id, last, "phone", vec![1], 5).await.expect("added");
        assert_eq!(world.store.login_generation(id).await, Ok(Some(last)));
        world.store.remove_app_password(id, "phone").await.expect("removed");
        assert_eq!(world.store.login_generation(id).await, Ok(Some(last + 1)));
        world.apply(DirectoryChange::SuspendAccount(address(JANE))).await;
        assert_eq!((world.store.login_generation(id).await, world.store.login_exists(id).await), (Ok(None), Ok(true)));
        let until = Timestamp::from_seconds(4_000_000_000);
        world.apply(DirectoryChange::ParkAccount { address: address(JANE), why: ParkReason::Removed, until }).await;
        assert_eq!((world.store.login_generation(id).await, world.store.login_exists(id).await), (Ok(None), Ok(false)));
        assert_eq!(world.store.login_record(&address(JANE)).await, Ok(None));
        world.assert_sound();
    });
}

#[test]
fn app_passwords_have_labels_of_their_own() {
    block_on(async {
        let world = World::with_people().await;
        let LoginRecord { account, generation, .. } = world.jane().await;
        let add = |made_on, label: &'static str| world.store.add_app_password(account, made_on, label, vec![7; 64], 2);
        assert_eq!(add(generation + 1, "phone").await, Err(StoreError::Changed));
        assert_eq!(add(generation, "phone").await, Ok(()));
        assert_eq!(add(generation, "phone").await, Err(StoreError::Exists(Thing::AppPassword)));
        assert_eq!(add(generation, "laptop").await, Ok(()));
        assert!(matches!(add(generation, "tablet").await, Err(StoreError::Limit(_))));
        let labels = |passwords: Vec<crate::store::AppPasswordRecord>| -> Vec<(String, Option<Timestamp>)> {
            passwords.into_iter().map(|stored| (stored.label, stored.last_used)).collect()
        };
        let (early, late) = (Timestamp::from_seconds(100), Timestamp::from_seconds(200));
        world.store.note_app_password_used(account, "phone", late).await.expect("noted");
        world.store.note_app_password_used(account, "phone", early).await.expect("too late to matter");
        world.store.note_app_password_used(account, "gone", late).await.expect("no error");
        assert_eq!(
            labels(world.store.app_passwords(account).await.expect("listed")),
            [("laptop".to_owned(), None), ("phone".to_owned(), Some(late))]
        );
        assert_eq!(world.store.remove_app_password(account, "phone").await, Ok(()));
        let again = world.store.remove_app_password(account, "phone").await;
        assert_eq!(again, Err(StoreError::Missing(Thing::AppPassword)));
        assert_eq!(labels(world.jane().await.app_passwords), [("laptop".to_owned(), None)]);
        world.assert_sound();
    });
}
