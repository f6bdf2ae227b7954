//! Mail out, in its place in the house: what the queue asks of the rest of the server, how it reaches others, its task.

use super::House;
use super::house::OpenError;
use super::serve::StartError;
use crate::admin::{Act, Caller, Done, Progress, RedirectPause};
use crate::config::{Config, HopProtocol, Outbound, OutboundTls};
use crate::delivery::{Answers, Mail, Origin};
use crate::dns::{Resolver, SystemResolver};
use crate::message::{Notice, Stamp, new_message_id};
use crate::net::{Shutdown, TlsClient};
use crate::queue::{
    self, HouseFate, HouseMail, Login, Pending, Protocol, Queue, QueueParts, QueueSettings, Smarthost, TlsDemand,
};
use crate::smtp::client::{Client, ClientSettings, Patience};
use crate::smtp::service::postmaster;
use crate::store::Refusing;
use crate::types::{Address, Domain, Envelope, ListenAddress, Notify, Recipient};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// Where policies of domains are fetched from (RFC 8461 section 3.3).
const HTTPS_PORT: u16 = 443;
/// Any would do: nothing is sent there.
const DISCARD_PORT: u16 = 9;
/// Between two attempts to begin.
const PAUSE: Duration = Duration::from_secs(10);

/// The service, not running yet.
pub(super) async fn open(
    house: &House,
    resolver: Arc<SystemResolver>,
    shutdown: &Shutdown,
) -> Result<Queue, StartError> {
    let client = ClientSettings {
        hostname: house.config.host(),
        patience: Patience::default(),
        unverified: TlsClient::unverified().map_err(StartError::Tls)?,
        verified: TlsClient::verified().map_err(StartError::Tls)?,
        https_port: HTTPS_PORT,
        shutdown: shutdown.clone(),
        clock: Arc::clone(house.store.clock()),
    };
    let parts = QueueParts {
        store: house.store.clone(),
        settings: settings(&house.config),
        resolver: resolver as Arc<dyn Resolver>,
        transport: Arc::new(Client::new(client)),
        house: Arc::new(Doorman(house.clone())),
    };
    Queue::open(parts).await.map_err(|error| StartError::Open(OpenError::Store(error)))
}

/// Until the shutdown, and then as long as what is under way needs, within the grace that everybody has. What is not done by
/// then is tried again after the next start.
pub(super) async fn run(queue: Queue, grace: Duration, shutdown: Shutdown) {
    let late = async {
        shutdown.requested().await;
        tokio::time::sleep(grace).await;
    };
    let working = async {
        while let Err(error) = queue.run(shutdown.requested()).await {
            tracing::error!(%error, "the queue can't begin; trying again");
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = working => {}
        () = late => tracing::warn!("servers that take too long are left alone; what they were to get is sent after the next start"),
    }
}

fn settings(config: &Config) -> QueueSettings {
    let outbound = &config.outbound;
    let smarthost = outbound.smarthost.clone().map(|host| {
        let login = login(&outbound.user, outbound.password.reveal());
        with_tls(outbound, Smarthost::new(host, Protocol::Smtp, login))
    });
    let smarthosts = outbound.smarthosts.0.iter().map(|one| {
        let login = login(&one.user, one.password.reveal());
        let protocol = match one.protocol {
            HopProtocol::Smtp => Protocol::Smtp,
            HopProtocol::Lmtp => Protocol::Lmtp,
        };
        (one.domain.clone(), with_tls(outbound, Smarthost::new(one.host.clone(), protocol, login)))
    });
    let sockets = config.listen.smtp.iter().filter_map(|listen| match listen {
        ListenAddress::Socket(address) => Some(*address),
        ListenAddress::Unix(_) => None,
    });
    // A domain whose MX leads to this machine by its inner address means us, if we are who answers there.
    let answers_inside = |socket: &SocketAddr| {
        socket.port() == outbound.port && (socket.ip().is_unspecified() || socket.ip().is_loopback())
    };
    let inside = sockets.clone().any(|socket| answers_inside(&socket)).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let own = sockets.map(|socket| socket.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).chain(inside);
    QueueSettings {
        own_addresses: own.collect(),
        port: outbound.port,
        connect_to: outbound.connect_to.clone(),
        smarthost,
        smarthosts: smarthosts.collect(),
        split_tls: demand(outbound.split_tls).unwrap_or(TlsDemand::IfOffered),
        pause_seconds_first: outbound.pause_seconds_first,
        pause_seconds_max: outbound.pause_seconds_max,
        warn_seconds: i64::from(outbound.warn_seconds),
        lifetime_seconds: i64::from(outbound.lifetime_seconds),
        connections_max: outbound.connections_max,
        connections_per_destination_max: outbound.connections_per_destination_max,
        recipients_max: outbound.recipients_max,
        refusals_before_pause: outbound.refusals_before_pause,
        ..QueueSettings::new(config.host())
    }
}

fn login(user: &str, password: &str) -> Option<Login> {
    let named = || Login { name: user.to_owned(), password: crate::telemetry::Secret::new(password.to_owned()) };
    (!user.is_empty()).then(named)
}

fn with_tls(outbound: &Outbound, smarthost: Smarthost) -> Smarthost {
    match demand(outbound.smarthost_tls) {
        Some(tls) => Smarthost { tls, ..smarthost },
        None => smarthost,
    }
}

/// `None`: what suits the port and the login.
pub(super) fn demand(tls: OutboundTls) -> Option<TlsDemand> {
    match tls {
        OutboundTls::Auto => None,
        OutboundTls::IfOffered => Some(TlsDemand::IfOffered),
        OutboundTls::Required => Some(TlsDemand::Encrypted),
        OutboundTls::Verified => Some(TlsDemand::Verified),
        OutboundTls::FromTheStart => Some(TlsDemand::FromTheStart),
    }
}

/// Whoever sends to an address of his own sends from it. Nothing goes over the wire for that.
fn is_this_machine(address: IpAddr) -> std::io::Result<bool> {
    let anywhere = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((anywhere, 0))?;
    socket.connect((address, DISCARD_PORT))?;
    Ok(socket.local_addr()?.ip() == address)
}

/// Stands between the queue and the house.
struct Doorman(House);

impl queue::House for Doorman {
    fn hosts<'a>(&'a self, domain: &'a Domain) -> Pending<'a, Result<bool, String>> {
        Box::pin(async move {
            let snapshot = self.0.directory.snapshot().await;
            snapshot.map(|snapshot| snapshot.is_hosted(domain)).map_err(|error| error.to_string())
        })
    }

    fn answers_at(&self, address: IpAddr) -> bool {
        let config = &self.0.config;
        let is_everywhere = |listen: &ListenAddress| match listen {
            ListenAddress::Socket(socket) => socket.ip().is_unspecified() && socket.port() == config.outbound.port,
            ListenAddress::Unix(_) => false,
        };
        config.listen.smtp.iter().any(is_everywhere) && is_this_machine(address).unwrap_or_default()
    }

    fn deliver(&self, mail: HouseMail) -> Pending<'_, HouseFate> {
        Box::pin(self.bring(mail))
    }

    fn target_refuses<'a>(&'a self, refusing: &'a Refusing) -> Pending<'a, ()> {
        Box::pin(self.pause(refusing))
    }
}

impl Doorman {
    /// A message of ours, into the house by its own door.
    async fn bring(&self, mail: HouseMail) -> HouseFate {
        let HouseMail { sender, recipient, envelope_id, dsn_return, message, session } = mail;
        let smtputf8 = recipient.address.needs_utf8() || sender.as_ref().is_some_and(Address::needs_utf8);
        // A failure is told by the queue, which has the message.
        let success = recipient.notify.success && !recipient.notify.never;
        let notify = Notify { success, never: !success, ..Notify::default() };
        let envelope = Envelope {
            sender,
            recipients: vec![Recipient { notify, ..recipient }],
            smtputf8,
            dsn_envelope_id: envelope_id,
            dsn_return,
            ..Envelope::default()
        };
        let mail = Mail {
            envelope,
            origin: Origin::House,
            now: self.0.store.clock().now(),
            remote_ip: None,
            remote_host: None,
            session,
            verdicts: String::new(),
            not_forwarded: None,
        };
        let octets = message.len();
        let fates = match self
            .0
            .delivery
            .deliver(mail, Answers::Each, octets, move |before| Ok([before, message].concat()))
            .await
        {
            Ok(fates) => fates,
            Err(error) => {
                tracing::error!(%error, "mail of our own could not be delivered; it is tried again");
                return HouseFate::Deferred("it could not be delivered here now".to_owned());
            }
        };
        let Some(fate) = fates.first() else { return HouseFate::Deferred("nothing became of it".to_owned()) };
        match fate.reason() {
            None => HouseFate::Taken,
            Some(why) if fate.is_temporary() => HouseFate::Deferred(why),
            Some(why) => HouseFate::Refused(why),
        }
    }

    /// Nothing more goes to a target that refuses again and again, and whoever the redirection belongs to is told.
    async fn pause(&self, refusing: &Refusing) {
        let Refusing { address, target, refusals, reply } = refusing;
        let caller =
            Caller { author: "posthouse".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
        let act = RedirectPause { address: address.clone(), targets: vec![target.clone()] };
        let paused = match Box::pin(act.run(&self.0.admin, &caller)).await {
            // Sends that were under way when it was paused are refused, too: told already.
            Ok(done) if !done.changed => return,
            Ok(done) => Ok(done),
            Err(refused) => {
                // Somebody else's rules may need this one. It goes on, and the owner hears of it now and then.
                if !refusals.is_multiple_of(self.0.config.outbound.refusals_before_pause) {
                    return;
                }
                Err(refused.to_string())
            }
        };
        tracing::warn!(%address, %target, refusals, reply, paused = paused.is_ok(), "a redirection's target refuses");
        if let Err(why) = self.tell_owner(refusing, paused).await {
            tracing::error!(%address, %target, why, "the redirection's owner could not be told");
        }
    }

    /// The address itself, where it has a mailbox; else whoever looks after its domain.
    async fn tell_owner(&self, refusing: &Refusing, paused: Result<Done, String>) -> Result<(), String> {
        let snapshot = self.0.directory.snapshot().await.map_err(|error| error.to_string())?;
        let has_mailbox = snapshot.account(&refusing.address).is_some();
        let owner = if has_mailbox { refusing.address.clone() } else { postmaster(refusing.address.domain()) };
        let hostname = self.0.config.host();
        let now = self.0.store.clock().now();
        let session = format!("pause.{}", now.0);
        let message_id = new_message_id(&format!("{session}.{}", refusing.refusals), &hostname);
        let notice = Notice {
            from_name: Some("Mail delivery"),
            from: &postmaster(&hostname),
            to: &owner,
            subject: &format!("{} refuses what {} passes on", refusing.target, refusing.address),
            stamp: Stamp { at: now, offset_seconds: 0, message_id: &message_id },
            text: &told(refusing, paused, &hostname),
            fields: &[],
        };
        let message = notice.to_message();
        let recipient = Recipient { notify: Notify::NEVER, ..Recipient::plain(owner) };
        let mail = HouseMail { sender: None, recipient, envelope_id: None, dsn_return: None, message, session };
        match self.bring(mail).await {
            HouseFate::Taken => Ok(()),
            HouseFate::Refused(why) | HouseFate::Deferred(why) => Err(why),
        }
    }
}

fn told(refusing: &Refusing, paused: Result<Done, String>, hostname: &Domain) -> String {
    const NOTICE: &str = include_str!("../../data/notices/target-refuses.txt");
    let (paused, effects) = match paused {
        Ok(done) => {
            let lines = done.mail_now.iter().flat_map(|now| &now.what).map(|line| format!("    {line}"));
            let lines: Vec<String> = lines.collect();
            (format!("Nothing more is sent to {} from here.", refusing.target), lines.join("\n"))
        }
        Err(why) => (
            format!("It could not be switched off by itself ({why}), so mail goes on being sent there."),
            "    what it did before".to_owned(),
        ),
    };
    NOTICE
        .replace("{paused}", &paused)
        .replace("{effects}", &effects)
        .replace("{refusals}", &refusing.refusals.to_string())
        .replace("{hostname}", hostname.as_str())
        .replace("{address}", &refusing.address.to_string())
        .replace("{target}", &refusing.target.to_string())
        // Last: what another server says is not to be taken for a place of ours.
        .replace("{reply}", &refusing.reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_knows_itself() {
        assert!(is_this_machine(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap());
        assert!(!is_this_machine("192.0.2.77".parse().unwrap()).unwrap_or_default());
    }
}
