//! What mail programs and other servers will say of a certificate that can be served all the same.

use super::files;
use crate::types::Domain;
use crate::types::limits::CERTIFICATE_WARNING_DAYS;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use std::path::Path;
use std::time::Duration;

/// One line for each.
pub fn doubts(certificate: &Path, host: &Domain) -> Vec<String> {
    let file = certificate.display();
    let Ok(chain) = files::read_certificates(certificate) else { return Vec::new() };
    let Some(parsed) = chain.first().and_then(|first| ParsedCertificate::try_from(first).ok()) else {
        return vec![format!("[tls]: {file}: the first certificate in it can't be read")];
    };
    let mut doubts = Vec::new();
    let named = ServerName::try_from(host.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
    if !named {
        doubts.push(format!("[tls]: {file} does not name {host}: mail programs that connect to it will warn"));
    }
    let soon = Duration::from_secs(CERTIFICATE_WARNING_DAYS * 86_400);
    match (validity(&parsed, Duration::ZERO), validity(&parsed, soon)) {
        (Validity::Over, _) => doubts.push(format!("[tls]: {file} has expired: bring a new one, and reload")),
        (Validity::Early, _) => doubts.push(format!("[tls]: {file} is not valid yet: is the clock right?")),
        (Validity::Now, Validity::Over) => {
            doubts.push(format!("[tls]: {file} ends within {CERTIFICATE_WARNING_DAYS} days: is it being renewed?"));
        }
        (Validity::Now, _) => {}
    }
    doubts
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Validity {
    Early,
    Now,
    Over,
}

/// No authority is trusted here, and none need be: the dates are looked at before the signature.
fn validity(certificate: &ParsedCertificate<'_>, ahead: Duration) -> Validity {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs()) + ahead);
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let roots = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(certificate, &roots, &[], now, algorithms) {
        Err(rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            Validity::Over
        }
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Validity::Early,
        _ => Validity::Now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan as _;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn what_programs_would_complain_of() {
        let directory = tempfile::tempdir().unwrap();
        let check = |name: &str, from_days: i64, until_days: i64, expected: &[&str]| {
            let day = |days: i64| {
                let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date() + days.days();
                date_time_ymd(i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
            };
            let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (parameters.not_before, parameters.not_after) = (day(from_days), day(until_days));
            let file = directory.path().join("c.pem");
            std::fs::write(&file, parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
            let found = doubts(&file, &Domain::parse("mail.example.org").unwrap());
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found}");
            }
        };
        check("mail.example.org", -10, 80, &[]);
        check("*.example.org", -10, 80, &[]);
        check("www.example.org", -10, 80, &["does not name mail.example.org"]);
        check("mail.example.org", -90, -1, &["has expired"]);
        check("mail.example.org", 2, 80, &["not valid yet"]);
        check("mail.example.org", -80, 5, &["ends within 10 days"]);
        check("www.example.org", -90, -1, &["does not name", "has expired"]);
    }
}
