//! One peer: lines and octets in, replies out, with a bound on everything it may take.
//!
//! All reading may be dropped half way and begun again without losing an octet, so a session can wait for its peer and
//! for something else at the same time. Time goes on counting meanwhile.

use super::caps::Permit;
use super::deflate::Deflate;
use super::error::NetError;
use super::rate::{Timeouts, Transfer, earned};
use super::shutdown::Shutdown;
use super::tls::{TlsClient, TlsFacts, TlsServer};
use super::transport::Transport;
use crate::telemetry::SessionId;
use crate::types::Domain;
use crate::types::limits::{
    INPUT_OCTETS_IDLE, INPUT_OCTETS_MAX, INPUT_OCTETS_TRANSFER_MIN, LINE_OCTETS_SKIPPED_MAX, LINGER_OCTETS_MAX,
    LINGER_SECONDS, OUTPUT_OCTETS_HIGH_WATER,
};
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsStream;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Ip(SocketAddr),
    /// A process on this machine, with the user it runs as.
    Local {
        user_id: u32,
    },
}

impl Peer {
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip().to_canonical()),
            Self::Local { .. } => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(formatter),
            Self::Local { user_id } => write!(formatter, "local user {user_id}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Without its end.
    pub octets: Vec<u8>,
    pub end: LineEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    CrLf,
    /// A line feed alone. Told apart because peers that disagree about it can be played off against each other.
    BareLf,
}

pub struct Connection {
    /// Replaceable at any time: a session is more patient with those who logged in.
    pub timeouts: Timeouts,
    transport: Transport,
    input: Input,
    output: Output,
    facts: Facts,
    tls: Option<TlsFacts>,
    compressed: bool,
}

type Protected = (TlsStream<Transport>, TlsFacts);

/// What stays the same for the whole session.
pub(super) struct Facts {
    pub(super) id: SessionId,
    pub(super) peer: Peer,
    /// Where the peer reached us.
    pub(super) local: Option<SocketAddr>,
    pub(super) shutdown: Shutdown,
    /// Held, not read: a slot among the connections we serve. Those we make ourselves have none.
    pub(super) _permit: Option<Permit>,
}

#[derive(Default)]
struct Input {
    octets: Vec<u8>,
    start: usize,
    /// The last read took all the room there was: the next one deserves more.
    filled: bool,
    /// How much of the input is known to hold no line feed.
    searched: usize,
    /// An over-long line is being read over: how much of it is gone.
    skipping: Option<usize>,
    /// When we began to wait for the line that is not whole yet. Kept when the waiting is dropped and begun again, so that
    /// neither a trickling peer nor a busy session can stretch it.
    waiting_since: Option<Instant>,
}

#[derive(Default)]
struct Output {
    octets: Vec<u8>,
    start: usize,
}

impl Connection {
    pub(super) fn new(transport: Transport, facts: Facts, timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            transport,
            input: Input::default(),
            output: Output::default(),
            facts,
            tls: None,
            compressed: false,
        }
    }

    pub fn id(&self) -> SessionId {
        self.facts.id
    }

    pub fn peer(&self) -> Peer {
        self.facts.peer
    }

    pub fn local(&self) -> Option<SocketAddr> {
        self.facts.local
    }

    /// For sessions that wait: when it is requested, say goodbye and end.
    pub fn shutdown(&self) -> &Shutdown {
        &self.facts.shutdown
    }

    /// None: not encrypted.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.tls.as_ref()
    }

    /// The next line of at most `octets_max` without its end. See [`NetError::LineTooLong`] for longer ones. No line can
    /// be longer than what a connection may hold of input.
    pub async fn read_line(&mut self, octets_max: usize) -> Result<Line, NetError> {
        let octets_max = octets_max.min(INPUT_OCTETS_MAX - 2);
        loop {
            if let Some(outcome) = self.input.next_line(octets_max) {
                return outcome;
            }
            let since = *self.input.waiting_since.get_or_insert_with(Instant::now);
            if self.input.is_empty() {
                self.input.shrink();
            }
            let patience = self.timeouts.idle.saturating_sub(since.elapsed());
            self.read_some(INPUT_OCTETS_IDLE, patience).await?;
        }
    }

    /// `count` octets, as a literal announces them. The caller has bounded `count`; memory grows as they arrive. When
    /// dropped half way, what was read is lost.
    pub async fn read_count(&mut self, count: usize) -> Result<Vec<u8>, NetError> {
        let mut octets = Vec::new();
        let mut transfer = Transfer::begin();
        loop {
            let taken = (count - octets.len()).min(self.buffered().len());
            octets.extend_from_slice(&self.buffered()[..taken]);
            self.consume(taken);
            if octets.len() == count {
                return Ok(octets);
            }
            self.read_more(&mut transfer).await?;
        }
    }

    /// What has arrived and was not taken yet.
    pub fn buffered(&self) -> &[u8] {
        self.input.rest()
    }

    /// Nothing will be read for a while: what reading had grown to is given back, if it is empty.
    pub fn rest(&mut self) {
        if self.input.is_empty() && self.input.octets.capacity() > INPUT_OCTETS_TRANSFER_MIN {
            self.input.shrink();
        }
    }

    /// Takes the first `count` of the buffered octets.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }

    /// Waits until more is buffered than now, in a transfer whose rate counts.
    pub async fn read_more(&mut self, transfer: &mut Transfer) -> Result<(), NetError> {
        let begun = Instant::now();
        let patience = transfer.patience(&self.timeouts);
        let slow = patience < self.timeouts.idle;
        match self.read_some(INPUT_OCTETS_TRANSFER_MIN, patience).await {
            Ok(octets) => {
                transfer.count(begun.elapsed(), octets);
                Ok(())
            }
            Err(NetError::Idle) if slow => Err(NetError::TooSlow),
            Err(error) => Err(error),
        }
    }

    async fn read_some(&mut self, room_min: usize, patience: Duration) -> Result<usize, NetError> {
        self.input.make_room(room_min)?;
        self.output.shrink();
        let reading = self.transport.read_buf(&mut self.input.octets);
        match timeout(patience, reading).await {
            Err(_) => Err(NetError::Idle),
            Ok(Ok(0)) => Err(NetError::Closed),
            Ok(Ok(octets)) => {
                self.input.filled = self.input.octets.len() == self.input.octets.capacity();
                Ok(octets)
            }
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Puts octets behind what the next [`Self::flush`] writes.
    pub fn queue(&mut self, octets: &[u8]) {
        self.output.octets.extend_from_slice(octets);
    }

    /// The queue itself, for those who format into it.
    pub fn queue_mut(&mut self) -> &mut Vec<u8> {
        &mut self.output.octets
    }

    /// Puts octets behind the others and writes when there are many: for bodies, which should never be whole in memory.
    pub async fn write_long(&mut self, octets: &[u8]) -> Result<(), NetError> {
        self.queue(octets);
        if self.output.pending() >= OUTPUT_OCTETS_HIGH_WATER {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes everything queued, in one write if the peer keeps up. Dropped half way, the rest stays queued.
    pub async fn flush(&mut self) -> Result<(), NetError> {
        let octets_per_second_min = self.timeouts.octets_per_second_min;
        let pending = self.output.pending() as u64;
        let deadline = Instant::now() + self.timeouts.write + earned(pending, octets_per_second_min);
        while self.output.pending() > 0 {
            let patience = self.timeouts.write.min(deadline.saturating_duration_since(Instant::now()));
            let writing = self.transport.write(&self.output.octets[self.output.start..]);
            match timeout(patience, writing).await {
                Err(_) => return Err(NetError::TooSlow),
                Ok(Ok(0)) => return Err(NetError::Closed),
                Ok(Ok(octets)) => self.output.start += octets,
                Ok(Err(error)) => return Err(error.into()),
            }
        }
        self.output.reset();
        match timeout(self.timeouts.write, self.transport.flush()).await {
            Err(_) => Err(NetError::TooSlow),
            Ok(outcome) => Ok(outcome?),
        }
    }

    /// Calls a server.
    pub async fn dial(
        address: SocketAddr,
        patience: Duration,
        timeouts: Timeouts,
        shutdown: &Shutdown,
    ) -> Result<Self, NetError> {
        let stream = match timeout(patience, TcpStream::connect(address)).await {
            Err(_) => return Err(NetError::Io(io::ErrorKind::TimedOut.into())),
            Ok(stream) => stream.map_err(NetError::Io)?,
        };
        stream.set_nodelay(true)?;
        let facts = Facts {
            id: SessionId::new(),
            peer: Peer::Ip(address),
            local: stream.local_addr().ok(),
            shutdown: shutdown.clone(),
            _permit: None,
        };
        Ok(Self::new(Transport::Tcp(stream), facts, timeouts))
    }

    /// Goes over to TLS, as the server. The reply that invites the peer must have been flushed.
    pub async fn start_tls(&mut self, server: &TlsServer) -> Result<(), NetError> {
        let transport = self.transport_to_protect()?;
        let accepted = timeout(self.timeouts.handshake, server.accept(transport)).await;
        self.protect(accepted)
    }

    /// Goes over to TLS, as the client of a server called `name`, after it has agreed.
    pub async fn start_tls_towards(&mut self, name: &Domain, client: &TlsClient) -> Result<(), NetError> {
        let transport = self.transport_to_protect()?;
        let refused = |error| NetError::Tls(io::Error::new(io::ErrorKind::InvalidInput, error));
        let name = match name.literal_ip() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(name.to_string()).map_err(refused)?,
        };
        let connected = timeout(self.timeouts.handshake, client.connect(transport, name)).await;
        self.protect(connected)
    }

    fn transport_to_protect(&mut self) -> Result<Transport, NetError> {
        if self.tls.is_some() || self.compressed {
            return Err(NetError::UpgradeTwice);
        }
        // RFC 3207 section 4.2, RFC 9051 section 11.1: what came before the handshake must not count after it.
        if !self.input.is_empty() {
            return Err(NetError::PlaintextBehindUpgrade);
        }
        Ok(mem::replace(&mut self.transport, Transport::Gone))
    }

    fn protect(&mut self, outcome: Result<io::Result<Protected>, Elapsed>) -> Result<(), NetError> {
        let (stream, facts) = outcome.map_err(|_| NetError::TooSlow)?.map_err(NetError::Tls)?;
        self.transport = Transport::Tls(Box::new(stream));
        self.tls = Some(facts);
        self.input = Input::default();
        Ok(())
    }

    /// Compresses both directions from here on (RFC 4978). The reply that agrees must have been flushed. What is
    /// buffered already was sent before the peer could compress, so it ends the session like plaintext before TLS.
    pub fn start_deflate(&mut self) -> Result<(), NetError> {
        if self.compressed {
            return Err(NetError::UpgradeTwice);
        }
        if !self.input.is_empty() {
            return Err(NetError::PlaintextBehindUpgrade);
        }
        let transport = mem::replace(&mut self.transport, Transport::Gone);
        self.transport = Transport::Deflate(Box::new(Deflate::new(transport)));
        self.compressed = true;
        Ok(())
    }

    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Writes what is queued and ends in order: the peer reads our last reply even if it is still sending.
    pub async fn close(mut self) {
        if self.flush().await.is_err() {
            return;
        }
        let linger = Duration::from_secs(LINGER_SECONDS);
        let ending = async {
            self.transport.shutdown().await?;
            // Closing with input unread makes the system send a reset, which overtakes the reply on the peer's side.
            let mut left = LINGER_OCTETS_MAX;
            loop {
                self.input.octets.clear();
                self.input.octets.reserve(INPUT_OCTETS_IDLE);
                match self.transport.read_buf(&mut self.input.octets).await? {
                    0 => return Ok::<(), io::Error>(()),
                    octets if octets >= left => return Ok(()),
                    octets => left -= octets,
                }
            }
        };
        // Whether it ended in order makes no difference to anybody any more.
        let _ = timeout(linger, ending).await;
    }
}

impl Input {
    fn rest(&self) -> &[u8] {
        &self.octets[self.start..]
    }

    fn is_empty(&self) -> bool {
        self.start == self.octets.len()
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.octets.len());
        self.searched = 0;
        if self.is_empty() {
            self.octets.clear();
            self.start = 0;
        }
    }

    /// None: the line is not whole yet.
    fn next_line(&mut self, octets_max: usize) -> Option<Result<Line, NetError>> {
        if self.skipping.is_some() {
            return self.skip_line();
        }
        let rest = self.rest();
        let Some(found) = memchr::memchr(b'\n', &rest[self.searched..]) else {
            let waiting = rest.len();
            self.searched = waiting;
            // One more, for the CR whose LF has not come yet.
            if waiting > octets_max + 1 {
                self.skipping = Some(0);
                return self.skip_line();
            }
            return None;
        };
        let whole = &rest[..self.searched + found];
        let (octets, end) = match whole.strip_suffix(b"\r") {
            Some(octets) => (octets, LineEnd::CrLf),
            None => (whole, LineEnd::BareLf),
        };
        let line = if octets.len() > octets_max {
            Err(NetError::LineTooLong)
        } else {
            Ok(Line { octets: octets.to_vec(), end })
        };
        self.consume(whole.len() + 1);
        self.waiting_since = None;
        Some(line)
    }

    /// Drops what there is of an over-long line.
    fn skip_line(&mut self) -> Option<Result<Line, NetError>> {
        let rest = self.rest();
        let found = memchr::memchr(b'\n', rest);
        let dropped = found.map_or(rest.len(), |index| index + 1);
        self.consume(dropped);
        let skipped = self.skipping.unwrap_or_default() + dropped;
        self.skipping = Some(skipped);
        if found.is_some() {
            (self.skipping, self.waiting_since) = (None, None);
            return Some(Err(NetError::LineTooLong));
        }
        // Nobody types this; it is not worth an answer.
        (skipped > LINE_OCTETS_SKIPPED_MAX).then_some(Err(NetError::InputFull))
    }

    fn make_room(&mut self, room_min: usize) -> Result<(), NetError> {
        if self.start > 0 {
            self.octets.drain(..self.start);
            self.start = 0;
        }
        if self.octets.len() >= INPUT_OCTETS_MAX {
            return Err(NetError::InputFull);
        }
        // Doubles while the peer fills it, so that bodies are read in large pieces and idle sessions stay small.
        let wanted = (self.octets.capacity() * 2).clamp(room_min, INPUT_OCTETS_MAX);
        let has_room = self.octets.capacity() >= room_min && self.octets.len() < self.octets.capacity();
        if self.filled || !has_room {
            self.octets.reserve_exact(wanted - self.octets.len());
        }
        Ok(())
    }

    /// Only when nothing is in it.
    fn shrink(&mut self) {
        if self.octets.capacity() > INPUT_OCTETS_IDLE {
            self.octets = Vec::with_capacity(INPUT_OCTETS_IDLE);
            self.filled = false;
        }
    }
}

impl Output {
    fn pending(&self) -> usize {
        self.octets.len() - self.start
    }

    fn reset(&mut self) {
        self.start = 0;
        self.octets.clear();
    }

    /// Before the peer is waited for: a session's one long answer should not be held for the rest of its life. Between the
    /// pieces of that answer the memory is kept.
    fn shrink(&mut self) {
        if self.octets.is_empty() && self.octets.capacity() > OUTPUT_OCTETS_HIGH_WATER {
            self.octets = Vec::new();
        }
    }
}
