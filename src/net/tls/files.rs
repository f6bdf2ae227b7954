//! The PEM files of certificate and key: reading, and making them on first start.

use super::TlsError;
use crate::types::Domain;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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

pub(super) fn make_if_missing(certificate: &Path, key: &Path, host: &Domain) -> Result<Origin, TlsError> {
    match (certificate.exists(), key.exists()) {
        (true, true) => return Ok(Origin::Found),
        (true, false) => return Err(TlsError::Half { present: certificate.to_owned(), missing: key.to_owned() }),
        (false, true) => return Err(TlsError::Half { present: key.to_owned(), missing: certificate.to_owned() }),
        (false, false) => {}
    }
    let (certificate_pem, key_pem) = self_signed(host).map_err(TlsError::SelfSigned)?;
    let written =
        |file: &Path, outcome: io::Result<()>| outcome.map_err(|error| TlsError::File(file.to_owned(), error));
    written(key, write_whole(key, key_pem.as_bytes(), KEY_MODE))?;
    let outcome = written(certificate, write_whole(certificate, certificate_pem.as_bytes(), CERTIFICATE_MODE));
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

/// All or nothing, also when the machine loses power: a temporary file beside it, synced, renamed, and the directory
/// synced.
fn write_whole(file: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary: PathBuf = directory.join(name);
    let write = || {
        // Made with its mode from the first moment: a key must not be readable even briefly.
        let mut opened = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        opened.write_all(octets)?;
        opened.sync_all()?;
        fs::rename(&temporary, file)?;
        fs::File::open(directory)?.sync_all()
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}
