//! Return paths of mail that is redirected to outside: the sender's address inside one of ours, so that the target's SPF
//! check finds us, and a bounce finds its way back. Written as SRS has it (the sender rewriting scheme of 2003, which no
//! RFC describes): `SRS0=hash=day=domain=local`, and `SRS1=hash=forwarder==…` around another forwarder's.
//!
//! A return path is proof that we redirected mail of that sender lately: without it, anybody could have us write to
//! anybody. Nothing is remembered for it, but for senders whose address would not fit the 64 octets there are before the
//! `@` (RFC 5321 section 4.5.3.1.1): those go by a number.

use crate::store::{Store, StoreError};
use crate::telemetry::Secret;
use crate::types::limits::{LOCAL_PART_OCTETS_MAX, RETURN_PATH_DAYS};
use crate::types::{Address, Domain, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// The setting that holds the key.
const KEY_SETTING: &str = "return-path-key";
/// In place of a domain: what follows is the number of a long sender. No domain is called so.
const BY_NUMBER: &str = "_";
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// 30 bits: a guess costs a transaction, and the day changes what is to be guessed.
const HASH_CHARACTERS: usize = 6;
/// Days as they are written, 32 × 32 of them.
const DAYS: i64 = 1024;

/// Why an address is no return path that still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SrsError {
    /// It has not the form.
    Malformed,
    /// We did not make it.
    Forged,
    /// We made it, too long ago.
    Expired,
    Store(StoreError),
}

impl fmt::Display for SrsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => formatter.write_str("the return path is malformed"),
            Self::Forged => formatter.write_str("the return path was not made here"),
            Self::Expired => formatter.write_str("the return path is too old"),
            Self::Store(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for SrsError {}

impl From<StoreError> for SrsError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Makes return paths and reads them. Cloning shares.
#[derive(Clone)]
pub struct Srs {
    store: Store,
    key: Secret<Vec<u8>>,
}

impl Srs {
    pub async fn open(store: Store) -> Result<Self, StoreError> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| StoreError::Io(format!("no randomness: {error}")))?;
        let fresh = fresh.iter().map(|octet| format!("{octet:02x}")).collect();
        let key = store.setting_or_insert(KEY_SETTING, fresh).await?.into_bytes();
        Ok(Self { store, key: Secret::new(key) })
    }

    /// Whether a local part looks like a return path of anybody's; only [`Srs::reverse`] says whose.
    pub fn is_return_path(local: &str) -> bool {
        after_tag(local, "SRS0").or_else(|| after_tag(local, "SRS1")).is_some()
    }

    /// What stands in MAIL when mail of `sender` is redirected by an address of `domain`.
    pub async fn forward(&self, sender: &Address, domain: &Domain) -> Result<Address, StoreError> {
        let day = day(self.store.clock().now());
        let local = match forward(self.key.reveal(), sender, day) {
            local if local.len() <= LOCAL_PART_OCTETS_MAX => local,
            _ => {
                let number = self.store.remember_long_sender(sender).await?;
                sealed(self.key.reveal(), day, BY_NUMBER, &base_36(number))
            }
        };
        Address::from_parts(&local, domain.clone()).map_err(|error| StoreError::Damaged(error.to_string()))
    }

    /// Whom mail to the return path with this local part is for.
    pub async fn reverse(&self, local: &str) -> Result<Address, SrsError> {
        let today = day(self.store.clock().now());
        match reverse(self.key.reveal(), local, today)? {
            Reversed::Address(address) => Ok(address),
            Reversed::Number(number) => self.store.long_sender(number).await?.ok_or(SrsError::Expired),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reversed {
    Address(Address),
    Number(i64),
}

fn day(now: Timestamp) -> i64 {
    now.seconds().div_euclid(86_400)
}

fn forward(key: &[u8], sender: &Address, day: i64) -> String {
    let local = sender.local();
    // Another forwarder's: his goes inside ours, whatever it looks like; he alone can read it.
    if let Some(opaque) = after_tag(local, "SRS0") {
        return sealed_again(key, sender.domain().as_str(), opaque);
    }
    // A chain of forwarders: only the first of them, who can read it, has to be known.
    if let Some((first, opaque)) = after_tag(local, "SRS1").and_then(first_forwarder) {
        return sealed_again(key, first, opaque);
    }
    sealed(key, day, sender.domain().as_str(), local)
}

fn sealed(key: &[u8], day: i64, domain: &str, local: &str) -> String {
    let written = written_day(day);
    format!("SRS0={}={written}={domain}={local}", hash(key, "0", &[&written, domain, local]))
}

fn sealed_again(key: &[u8], forwarder: &str, opaque: &str) -> String {
    format!("SRS1={}={forwarder}={opaque}", hash(key, "1", &[forwarder, opaque]))
}

fn reverse(key: &[u8], local: &str, today: i64) -> Result<Reversed, SrsError> {
    if let Some(rest) = after_tag(local, "SRS1") {
        let rest = &rest[1..];
        let (seal, inner) = rest.split_once('=').ok_or(SrsError::Malformed)?;
        let (forwarder, opaque) = inner.split_once('=').ok_or(SrsError::Malformed)?;
        check(key, seal, "1", &[forwarder, opaque])?;
        let domain = Domain::parse(forwarder).map_err(|_| SrsError::Malformed)?;
        let address = Address::from_parts(&format!("SRS0{opaque}"), domain).map_err(|_| SrsError::Malformed)?;
        return Ok(Reversed::Address(address));
    }
    let rest = after_tag(local, "SRS0").ok_or(SrsError::Malformed)?;
    let mut parts = rest[1..].splitn(4, '=');
    let (Some(seal), Some(written), Some(domain), Some(inner)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(SrsError::Malformed);
    };
    check(key, seal, "0", &[written, domain, inner])?;
    let made = read_day(written).ok_or(SrsError::Malformed)?;
    // Days come round after 1,024; a clock may be a day ahead of ours.
    let age = (today - made).rem_euclid(DAYS);
    if age > RETURN_PATH_DAYS && age != DAYS - 1 {
        return Err(SrsError::Expired);
    }
    if domain == BY_NUMBER {
        let number = i64::from_str_radix(inner, 36).map_err(|_| SrsError::Malformed)?;
        return Ok(Reversed::Number(number));
    }
    let domain = Domain::parse(domain).map_err(|_| SrsError::Malformed)?;
    Address::from_parts(inner, domain).map(Reversed::Address).map_err(|_| SrsError::Malformed)
}

/// What follows the tag, with the character behind it: `=`, or `+` or `-` as some write it.
fn after_tag<'l>(local: &'l str, tag: &str) -> Option<&'l str> {
    let is_tagged = local.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    let rest = if is_tagged { &local[tag.len()..] } else { return None };
    rest.starts_with(['=', '+', '-']).then_some(rest)
}

/// `=hash=forwarder=opaque`.
fn first_forwarder(rest: &str) -> Option<(&str, &str)> {
    let (_, inner) = rest[1..].split_once('=')?;
    let (forwarder, opaque) = inner.split_once('=')?;
    (Domain::parse(forwarder).is_ok() && opaque.starts_with(['=', '+', '-'])).then_some((forwarder, opaque))
}

/// Over small letters: some servers on the way change the case of what they don't understand.
fn hash(key: &[u8], kind: &str, parts: &[&str]) -> String {
    // A key of any length is fine for HMAC; the other arm can't be reached.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(kind.as_bytes());
    for part in parts {
        mac.update(b"\0");
        mac.update(part.to_lowercase().as_bytes());
    }
    let sum = mac.finalize().into_bytes();
    let bits = u64::from(u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]));
    (0..HASH_CHARACTERS).map(|place| digit((bits >> (27 - 5 * place)) as usize)).collect()
}

fn check(key: &[u8], seal: &str, kind: &str, parts: &[&str]) -> Result<(), SrsError> {
    let is_ours: bool = seal.to_ascii_uppercase().as_bytes().ct_eq(hash(key, kind, parts).as_bytes()).into();
    if is_ours && !seal.is_empty() { Ok(()) } else { Err(SrsError::Forged) }
}

fn digit(value: usize) -> char {
    char::from(BASE_32[value & 31])
}

fn written_day(day: i64) -> String {
    let day = day.rem_euclid(DAYS) as usize;
    [digit(day >> 5), digit(day)].iter().collect()
}

fn read_day(written: &str) -> Option<i64> {
    let value = |character: u8| BASE_32.iter().position(|known| *known == character.to_ascii_uppercase());
    match written.as_bytes() {
        [high, low] => Some((value(*high)? * 32 + value(*low)?) as i64),
        _ => None,
    }
}

fn base_36(number: i64) -> String {
    let mut rest = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((rest % 36) as u32, 36).unwrap_or('0'));
        rest /= 36;
        if rest == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FixedClock;
    use proptest::prelude::*;
    use std::sync::Arc;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
    /// 2023-11-14.
    const TODAY: i64 = 19_675;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn return_paths_as_another_implementation_of_the_hash_makes_them() {
        let check = |sender: &str, expected: &str| assert_eq!(forward(KEY, &address(sender), TODAY), expected);
        check("Jane.Doe@far.example", "SRS0=Q7FLKM=G3=far.example=Jane.Doe");
        check("SRS0=HHH=TT=far.example=jane@one.example", "SRS1=OEKI2I=one.example==HHH=TT=far.example=jane");
        // A second forwarder takes the first one's place, not the last one's.
        check(
            "SRS1=XXX=one.example==HHH=TT=far.example=jane@two.example",
            "SRS1=OEKI2I=one.example==HHH=TT=far.example=jane",
        );
        assert_eq!(sealed(KEY, TODAY, BY_NUMBER, "1z"), "SRS0=QGSQ43=G3=_=1z");
    }

    #[test]
    fn what_is_ours_and_young_is_read_back() {
        let check = |local: &str, today: i64, expected: Result<&str, SrsError>| {
            let expected = expected.map(|text| Reversed::Address(address(text)));
            assert_eq!(reverse(KEY, local, today), expected, "{local} {today}");
        };
        let path = "SRS0=Q7FLKM=G3=far.example=Jane.Doe";
        check(path, TODAY, Ok("Jane.Doe@far.example"));
        check(&path.to_lowercase(), TODAY, Ok("jane.doe@far.example"));
        check(&path.to_uppercase(), TODAY, Ok("JANE.DOE@far.example"));
        check(path, TODAY - 1, Ok("Jane.Doe@far.example"));
        check(path, TODAY + RETURN_PATH_DAYS, Ok("Jane.Doe@far.example"));
        check(path, TODAY + RETURN_PATH_DAYS + 1, Err(SrsError::Expired));
        check(path, TODAY - 2, Err(SrsError::Expired));
        check("SRS0=Q7FLKM=G4=far.example=Jane.Doe", TODAY, Err(SrsError::Forged));
        check("SRS0=Q7FLKN=G3=far.example=Jane.Doe", TODAY, Err(SrsError::Forged));
        check("SRS0=Q7FLKM=G3=far.example=John.Doe", TODAY, Err(SrsError::Forged));
        check("SRS0==G3=far.example=Jane.Doe", TODAY, Err(SrsError::Forged));
        check("SRS0=Q7FLKM=G3=far.example", TODAY, Err(SrsError::Malformed));
        check("SRS0", TODAY, Err(SrsError::Malformed));
        check("SRS0=", TODAY, Err(SrsError::Malformed));
        check("jane", TODAY, Err(SrsError::Malformed));
        let outer = "SRS1=OEKI2I=one.example==HHH=TT=far.example=jane";
        check(outer, TODAY, Ok("SRS0=HHH=TT=far.example=jane@one.example"));
        check(&outer.to_lowercase(), TODAY, Ok("SRS0=hhh=tt=far.example=jane@one.example"));
        check("SRS1=OEKI2I=two.example==HHH=TT=far.example=jane", TODAY, Err(SrsError::Forged));
        check("SRS1=OEKI2I=one.example", TODAY, Err(SrsError::Malformed));
        assert!(Srs::is_return_path("srs1+x") && !Srs::is_return_path("srs0") && !Srs::is_return_path("srs"));
    }

    #[tokio::test]
    async fn long_senders_go_by_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(TODAY * 86_400)));
        let store = Store::open(directory.path(), clock.clone()).expect("opens");
        let srs = Srs::open(store.clone()).await.expect("a key");
        let domain: Domain = "us.example".parse().expect("a domain");
        let check = async |sender: &str, is_numbered: bool| {
            let path = srs.forward(&address(sender), &domain).await.expect("a return path");
            assert!(path.local().len() <= LOCAL_PART_OCTETS_MAX, "{path}");
            assert_eq!(path.local().contains("=_="), is_numbered, "{path}");
            assert_eq!(srs.reverse(path.local()).await, Ok(address(sender)));
            assert!(srs.reverse(&path.local().to_lowercase()).await.is_ok());
            // Another server may redirect it to us again.
            let again = srs.forward(&path, &"them.example".parse().expect("a domain")).await.expect("a return path");
            assert_eq!(srs.reverse(again.local()).await, Ok(path.clone()));
        };
        check("jane@far.example", false).await;
        check("bounces+1234567-89ab-jane=far.example@em1234.mailer.far.example", true).await;
        check("\"jane doe\"@far.example", false).await;
        // The key is the same after a restart, and another house has another.
        let path = srs.forward(&address("jane@far.example"), &domain).await.expect("a return path");
        assert_eq!(Srs::open(store).await.expect("a key").reverse(path.local()).await, Ok(address("jane@far.example")));
        let elsewhere = tempfile::tempdir().expect("a directory");
        let other = Srs::open(Store::open(elsewhere.path(), clock).expect("opens")).await.expect("a key");
        assert_eq!(other.reverse(path.local()).await, Err(SrsError::Forged));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_sender_comes_back(local in "[a-zA-Z0-9=+._-]{0,30}[a-z0-9]", day in 0_i64..30_000) {
            let sender = Address::from_parts(&local, "far.example".parse().expect("a domain")).expect("an address");
            let path = forward(KEY, &sender, day);
            match reverse(KEY, &path, day) {
                Ok(Reversed::Address(back)) if !Srs::is_return_path(&local) => prop_assert_eq!(back, sender),
                Ok(_) => {}
                Err(error) => prop_assert!(false, "{path}: {error}"),
            }
        }

        #[test]
        fn no_other_text_is_a_return_path(text in "(?i)(srs[01][=+-])?[ -~]{0,60}", day in 0_i64..30_000) {
            prop_assert!(reverse(KEY, &text, day).is_err());
        }
    }
}
