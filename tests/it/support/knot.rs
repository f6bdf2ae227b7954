//! A real name server (Debian: knot) with a root of its own, which it signs.

use super::running::Running;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const KNOTD: &str = "/usr/sbin/knotd";
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Knot {
    directory: tempfile::TempDir,
    pub address: SocketAddr,
    child: Option<Child>,
}

impl Drop for Knot {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether it is there; told where it is not, and a fault in the gate.
#[allow(clippy::print_stderr)] // a test that does not run says so
pub fn may_run() -> bool {
    let is_there = Path::new(KNOTD).exists();
    assert!(is_there || std::env::var_os("CI").is_none(), "knot is missing");
    if !is_there {
        eprintln!("SKIPPED: knot is not installed");
    }
    is_there
}

/// A port that is free on both, since large answers come by TCP.
fn free_address() -> SocketAddr {
    loop {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

impl Knot {
    /// Not running yet: its address and the root's key are known before its zones are. Besides the root there are zones
    /// below it, signed or not.
    pub fn new(signed: &[&str], unsigned: &[&str]) -> Self {
        let knot = Self { directory: tempfile::tempdir().unwrap(), address: free_address(), child: None };
        let here = knot.directory.path().display();
        let mut config = format!(
            "server:\n  rundir: {here}\n  listen: 127.0.0.1@{port}\ndatabase:\n  storage: {here}/db\npolicy:\n  - id: own\n\
             \x20   algorithm: ecdsap256sha256\n    single-type-signing: on\n    manual: on\ntemplate:\n  - id: default\n\
             \x20   storage: {here}\n    zonefile-sync: -1\n    journal-content: none\n    zonefile-load: whole\nzone:\n",
            port = knot.address.port()
        );
        let signed = || ["."].iter().chain(signed);
        for zone in signed().chain(unsigned) {
            writeln!(config, "  - domain: {zone}\n    file: {zone}zone").unwrap();
            if signed().any(|one| one == zone) {
                writeln!(config, "    dnssec-signing: on\n    dnssec-policy: own").unwrap();
            }
        }
        std::fs::write(knot.directory.path().join("knot.conf"), config).unwrap();
        std::fs::create_dir(knot.directory.path().join("db")).unwrap();
        for zone in signed() {
            knot.keymgr(&[zone, "generate", "algorithm=13", "ksk=yes", "zsk=yes"]);
        }
        // The form that trust anchors have everywhere: with class.
        let anchors = knot.keymgr(&[".", "dnskey"]).replace(" DNSKEY ", " IN DNSKEY ");
        assert!(anchors.contains(" IN DNSKEY 257 3 13 "), "{anchors}");
        std::fs::write(knot.directory.path().join("anchors"), anchors).unwrap();
        knot
    }

    /// Keys are made before it runs: beside it, its program waits for a lock now and then, and for ever.
    fn keymgr(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("/usr/bin/timeout");
        command.args(["20", "/usr/sbin/keymgr", "-c"]).arg(self.directory.path().join("knot.conf")).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Serves these zones, each with its records, until it is dropped.
    pub async fn start(&mut self, zones: &[(&str, &str)]) {
        for (zone, records) in zones {
            let text = format!("$ORIGIN {zone}\n$TTL 300\n@ SOA ns. host. 1 3600 600 86400 300\n@ NS ns.\n{records}");
            std::fs::write(self.directory.path().join(format!("{zone}zone")), text).unwrap();
        }
        let log = std::fs::File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(KNOTD);
        command.arg("-c").arg(self.directory.path().join("knot.conf")).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let served = async {
            while !self.log().contains("server started") {
                ticks.tick().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, served).await.is_ok(), "{}", self.log());
        assert!(!self.log().contains("error"), "{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// `[dns]` of whoever asks it and believes its root.
    pub fn configuration(&self) -> String {
        format!(
            "[dns]\nservers = [\"{}\"]\nattempts = 2\ntimeout_seconds = 5\ntrust_anchors = {:?}\n",
            self.address,
            self.directory.path().join("anchors"),
        )
    }

    /// The records by which it knows a house's DKIM keys, for the root zone.
    pub async fn keys_of(house: &Running, domain: &str) -> String {
        let domain = domain.parse().unwrap();
        let mut records = String::new();
        for key in house.server.house.store.dkim_keys(&domain).await.unwrap() {
            let name = posthouse::policy::key_name(&key.selector, &domain);
            let text = posthouse::policy::key_record(posthouse::queue::key_kind(key.algorithm), &key.public_key);
            // A string of a TXT record has 255 octets at most.
            let strings = text.as_bytes().chunks(200).map(|part| format!("\"{}\"", str::from_utf8(part).unwrap()));
            writeln!(records, "{name}. TXT {}", strings.collect::<Vec<_>>().join(" ")).unwrap();
        }
        records
    }
}
