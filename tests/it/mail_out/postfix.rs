//! Postfix on loopback: as the server mail goes to, and as the other side of a split domain.

use super::first::{from_outside, house, submitted};
use crate::support::peer::Peer;
use crate::support::running::Running;
use crate::support::tls;
use posthouse::admin::{DomainAdd, Hosting};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = "/usr/sbin/postfix";
const MESSAGE: &str = "From: jane@example.org\nMessage-ID: <one@example.org>\nSubject: hi\n\nhello\n";

/// Its master process wants to be root, and gives that up for everything that touches mail.
#[allow(clippy::print_stderr)] // a test that does not run says so
fn may_run() -> bool {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let is_there = Path::new(PROGRAM).exists() && (is_root || sudo());
    assert!(is_there || std::env::var("CI").as_deref() != Ok("true"), "postfix has to be there, and root or sudo");
    if !is_there {
        eprintln!("SKIPPED: postfix is not installed, or this is neither root nor allowed to sudo");
    }
    is_there
}

fn sudo() -> bool {
    let asked = Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn as_root(program: &str) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

struct Postfix {
    directory: tempfile::TempDir,
    address: SocketAddr,
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.control("stop");
        // What its own users made is not ours to remove.
        let _ = as_root("rm").arg("-rf").arg(self.path("spool")).arg(self.path("data")).arg(self.path("mail")).status();
    }
}

impl Postfix {
    /// `main`: further lines of main.cf.
    fn start(main: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        tls::server(directory.path());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let postfix = Self { directory, address };
        let (etc, here) = (postfix.path("etc"), postfix.directory.path().display().to_string());
        std::fs::create_dir(&etc).unwrap();
        for made in ["spool", "data", "mail"] {
            std::fs::create_dir(postfix.path(made)).unwrap();
        }
        for (owner, made) in [("postfix", "data"), ("nobody", "mail")] {
            assert!(as_root("chown").arg(owner).arg(postfix.path(made)).status().unwrap().success());
        }
        let common = format!(
            "compatibility_level = 3.6\nqueue_directory = {here}/spool\ndata_directory = {here}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmaillog_file = {here}/data/maillog\nmaillog_file_prefixes = {here}\n\
             inet_interfaces = loopback-only\ninet_protocols = ipv4\nmyhostname = postfix.example\nmydestination =\n\
             mynetworks = 127.0.0.0/8\nlocal_recipient_maps =\nlocal_transport = error:no local mail\nalias_maps =\n\
             alias_database =\nsmtp_dns_support_level = disabled\nsmtp_tls_security_level = may\n\
             smtpd_tls_cert_file = {here}/cert.pem\nsmtpd_tls_key_file = {here}/key.pem\nsmtpd_tls_security_level = may\n\
             smtpd_peername_lookup = no\nvirtual_mailbox_base = {here}/mail\nvirtual_uid_maps = static:65534\n\
             virtual_gid_maps = static:65534\nvirtual_minimum_uid = 100\n{main}"
        );
        std::fs::write(etc.join("main.cf"), common).unwrap();
        let master = MASTER.replace("{address}", &postfix.address.to_string());
        std::fs::write(etc.join("master.cf"), master).unwrap();
        let started = postfix.control("start");
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        postfix
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn control(&self, what: &str) -> std::process::Output {
        as_root(PROGRAM).arg("-c").arg(self.path("etc")).arg(what).output().unwrap()
    }

    /// What lies in a mailbox.
    fn mail(&self, who: &str) -> Vec<String> {
        let new = self.path("mail").join(who).join("new");
        // Its directories are for their owner alone.
        let listed = as_root("find").arg(new).args(["-type", "f", "-exec", "cat", "{}", ";"]).output().unwrap();
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        text.split("Return-Path: ").skip(1).map(|one| format!("Return-Path: {one}")).collect()
    }

    fn log(&self) -> String {
        let read = as_root("cat").arg(self.path("data/maillog")).output().unwrap();
        String::from_utf8_lossy(&read.stdout).into_owned()
    }
}

const MASTER: &str = "\
{address} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
virtual unix - n n - - virtual
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

#[tokio::test]
async fn it_takes_our_mail_and_refuses_what_it_does_not_know() {
    if !may_run() {
        return;
    }
    let postfix = Postfix::start(
        "virtual_mailbox_domains = far.example\nvirtual_mailbox_maps = inline:{ there@far.example=there/ }\n",
    );
    // Where the house finds it: in the place of all others.
    let house = Running::open(
        &["smtp", "submission"],
        &format!("[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n[outbound]\nconnect_to = \"{}\"\n", postfix.address),
    )
    .await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house.redirect("team@example.org", &["there@far.example"], None).await;
    submitted(&house, "jane@example.org", &["there@far.example", "nobody@far.example"], MESSAGE).await;
    let large =
        format!("From: jane@example.org\nSubject: large\n\n{}", "ä line of some length, and a dot:\n..\n".repeat(9000));
    submitted(&house, "jane@example.org", &["team@example.org"], &large).await;
    from_outside(&house, "paul@author.example", &["team@example.org"], "From: paul@author.example\n\nhello\n").await;
    house.idle().await;
    house.until("it is in the mailbox", async || postfix.mail("there").len() == 3).await;
    let mail = postfix.mail("there").join("\n");
    for expected in ["<jane@example.org>", "SRS0=", "with ESMTPS", "Subject: hi", "a dot:\n.\n"] {
        assert!(mail.contains(expected), "{expected}: {}\n{}", &mail[..mail.len().min(4000)], postfix.log());
    }
    let bounce = house.filed("jane@example.org").await.remove(0);
    let text = String::from_utf8(bounce.octets).unwrap();
    assert!(text.contains("nobody@far.example") && text.contains("User unknown in virtual mailbox table"), "{text}");
    house.close().await;
}

#[tokio::test]
async fn it_has_the_other_half_of_a_domain() {
    if !may_run() {
        return;
    }
    let everybody = Peer::kind().await;
    let house = house(&everybody).await;
    // What it does not know of the domain it hands to us, as we hand to it what we don't know.
    let transports = format!(
        "inline:{{ there@split.example=virtual:, split.example=relay:[127.0.0.1]:{} }}",
        house.port("smtp").port()
    );
    let postfix = Postfix::start(&format!(
        "relay_domains = split.example\nvirtual_mailbox_maps = inline:{{ there@split.example=there/ }}\n\
             transport_maps = {transports}\ndefault_transport = smtp:[127.0.0.1]:{}\n",
        everybody.address.port()
    ));
    let hosting = Hosting::Split(postfix.address.to_string());
    let done = house.act(DomainAdd { domain: "split.example".parse().unwrap(), hosting }).await;
    assert!(done.notes.iter().any(|note| note.contains("takes mail for split.example")), "{:?}", done.notes);
    house.account("here@split.example", None).await;
    let in_it = async |to: &str| {
        let mut sender = crate::support::smtp::Sender::connect(postfix.address, "EHLO client.example").await.unwrap();
        sender.send("paul@author.example", &[to], MESSAGE.replace('\n', "\r\n").as_bytes()).await.unwrap()
    };
    // Both know their own, whoever is asked first.
    for to in ["here@split.example", "there@split.example"] {
        let reply = from_outside(&house, "paul@author.example", &[to], MESSAGE).await;
        assert!(reply.starts_with("250"), "{to}: {reply}");
        let reply = in_it(to).await;
        assert!(reply.starts_with("250"), "{to}: {reply}");
    }
    house
        .until("each has two", async || {
            house.filed("here@split.example").await.len() == 2 && postfix.mail("there").len() == 2
        })
        .await;
    // Nobody knows this one: it goes there and back once, and its author hears of it.
    from_outside(&house, "paul@author.example", &["nobody@split.example"], MESSAGE).await;
    let bounce = everybody.got(1).await.remove(0);
    assert!(bounce.from.starts_with("<>") && bounce.to[0].starts_with("<paul@author.example>"), "{bounce:?}");
    assert!(bounce.text().contains("The message is going round in circles"), "{}", bounce.text());
    house.idle().await;
    assert_eq!(everybody.seen.count("MAIL"), 1);
    house.close().await;
}
