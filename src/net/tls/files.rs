//! The PEM files of certificate and key: reading, and making them on first start.

use super::TlsError;
use crate::types::{Domain, WholeFile, directory_of};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Where the certificate came from; the first start has to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Found,
    /// Made now: clients will warn, other servers won't mind.
    SelfSigned,
}

const CERTIFICATE_MODE: u32 = 0o644;
const KEY_MODE: u32 = 0o600;
/// Nobody replaces it before, and a shorter life would end in a surprise.
const SELF_SIGNED_YEARS: i32 = 10;

pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = fs::read(file).map_err(|error| TlsError::File(file.to_owned(), error))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| TlsError::Empty(file.to_owned()))
}

pub(super) fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = fs::read(file).map_err(|error| TlsError::File(file.to_owned(), error))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::Empty(file.to_owned()))
}

/// What is there, or what may be made.
pub(super) fn origin(certificate: &Path, key: &Path, data: &Path) -> Result<Origin, TlsError> {
    match (certificate.exists(), key.exists()) {
        (true, true) => Ok(Origin::Found),
        (true, false) => Err(TlsError::Half { present: certificate.to_owned(), missing: key.to_owned() }),
        (false, true) => Err(TlsError::Half { present: key.to_owned(), missing: certificate.to_owned() }),
        (false, false) if has_place(certificate, data) && has_place(key, data) => Ok(Origin::SelfSigned),
        (false, false) => Err(TlsError::Absent { certificate: certificate.to_owned(), key: key.to_owned() }),
    }
}

/// In `data`, which is made at the start, or in a directory that is there.
fn has_place(file: &Path, data: &Path) -> bool {
    file.starts_with(data) || directory_of(file).is_dir()
}

pub(super) fn make_if_missing(certificate: &Path, key: &Path, data: &Path, host: &Domain) -> Result<Origin, TlsError> {
    if origin(certificate, key, data)? == Origin::Found {
        return Ok(Origin::Found);
    }
    let (certificate_pem, key_pem) = self_signed(host).map_err(TlsError::SelfSigned)?;
    write_whole(key, key_pem.as_bytes(), KEY_MODE)?;
    let outcome = write_whole(certificate, certificate_pem.as_bytes(), CERTIFICATE_MODE);
    if outcome.is_err() {
        // A key alone would make the next start refuse; nobody has used it yet.
        let _ = fs::remove_file(key);
    }
    outcome.map(|()| Origin::SelfSigned)
}

fn self_signed(host: &Domain) -> Result<(String, String), rcgen::Error> {
    let mut names = vec![host.to_string(), "localhost".to_owned()];
    names.dedup();
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name.push(DnType::CommonName, host.as_str());
    parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let today = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let day = |years: i32| {
        // The 28th exists in every month.
        let (month, day) = (today.month().unsigned_abs(), today.day().unsigned_abs().min(28));
        rcgen::date_time_ymd(i32::from(today.year()) + years, month, day)
    };
    parameters.not_before = day(0);
    parameters.not_after = day(SELF_SIGNED_YEARS);
    let key = KeyPair::generate()?;
    Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write_whole(place: &Path, octets: &[u8], mode: u32) -> Result<(), TlsError> {
    let mut file = WholeFile::create(place, mode).map_err(TlsError::Unwritten)?;
    file.write_all(octets).map_err(|error| TlsError::File(place.to_owned(), error))?;
    file.finish().map_err(TlsError::Unwritten)
}
