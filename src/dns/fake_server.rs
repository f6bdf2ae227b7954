//! A zone text answered over UDP on loopback: through it the real resolver, and mail-auth above it, can be tried out.

use super::answer::DnsError;
use super::fake::{Data, FakeResolver};
use crate::types::Domain;
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SRV, TLSA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Seconds a record may be remembered: none, so that a replaced zone is seen at once.
const TTL_SECONDS: u32 = 0;
const QUERY_OCTETS_MAX: usize = 4096;

/// Answers until it is dropped.
pub struct FakeServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FakeServer {
    pub async fn start(zone: FakeResolver) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let task = tokio::spawn(async move {
            let mut octets = [0; QUERY_OCTETS_MAX];
            while let Ok((count, peer)) = socket.recv_from(&mut octets).await {
                if let Some(response) = answer(&zone, &octets[..count]) {
                    // Lost answers are part of UDP.
                    let _ = socket.send_to(&response, peer).await;
                }
            }
        });
        Ok(Self { address, task })
    }

    /// For `[dns] servers`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(zone: &FakeResolver, query: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    let question = query.queries.first()?.clone();
    let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata.recursion_desired = true;
    response.metadata.recursion_available = true;
    response.metadata.response_code = match records(zone, question.name(), question.query_type()) {
        Ok(records) => {
            response.add_answers(records);
            ResponseCode::NoError
        }
        Err(DnsError::NoSuchName) => ResponseCode::NXDomain,
        Err(DnsError::NoData) => ResponseCode::NoError,
        Err(DnsError::Temporary(_)) => ResponseCode::ServFail,
    };
    response.add_query(question);
    response.to_vec().ok()
}

/// With the aliases on the way, as a recursive server gives them.
fn records(zone: &FakeResolver, asked: &Name, kind: RecordType) -> Result<Vec<Record>, DnsError> {
    use crate::types::limits::DNS_ALIASES_MAX;
    if let Ok(network) = asked.parse_arpa_name() {
        let names = zone.names_of(network.addr())?;
        let data = names.iter().filter_map(|name| Some(RData::PTR(PTR(absolute(name)?))));
        return Ok(data.map(|data| Record::from_rdata(asked.clone(), TTL_SECONDS, data)).collect());
    }
    let mut name = Domain::parse(&asked.to_ascii()).map_err(|_| DnsError::NoSuchName)?;
    let mut owner = asked.clone();
    let mut answers = Vec::new();
    for _ in 0..DNS_ALIASES_MAX {
        let here = zone.all(&name)?;
        let fitting = here.iter().filter_map(wire).filter(|data| data.record_type() == kind);
        let before = answers.len();
        answers.extend(fitting.map(|data| Record::from_rdata(owner.clone(), TTL_SECONDS, data)));
        let alias = here.iter().find_map(|data| match data {
            Data::Cname(target) => Some(target.clone()),
            _ => None,
        });
        let Some(target) = alias.filter(|_| answers.len() == before) else {
            return Ok(answers);
        };
        let to = absolute(&target).ok_or(DnsError::NoData)?;
        answers.push(Record::from_rdata(owner, TTL_SECONDS, RData::CNAME(CNAME(to.clone()))));
        (owner, name) = (to, target);
    }
    Err(DnsError::Temporary("aliases go in circles".to_owned()))
}

fn wire(data: &Data) -> Option<RData> {
    let host_or_root = |host: &Option<Domain>| host.as_ref().map_or(Some(Name::root()), absolute);
    Some(match data {
        Data::Mx(mx) => RData::MX(MX::new(mx.preference, host_or_root(&mx.exchange)?)),
        Data::Address(IpAddr::V4(address)) => RData::A(A(*address)),
        Data::Address(IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
        Data::Txt(text) => {
            // A string on the wire has 255 octets at most.
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
            RData::TXT(TXT::from_bytes(pieces))
        }
        Data::Cname(name) => RData::CNAME(CNAME(absolute(name)?)),
        Data::Tlsa(tlsa) => RData::TLSA(TLSA::new(
            CertUsage::from(tlsa.usage),
            Selector::from(tlsa.selector),
            Matching::from(tlsa.matching),
            tlsa.data.clone(),
        )),
        Data::Srv(srv) => RData::SRV(SRV::new(srv.priority, srv.weight, srv.port, host_or_root(&srv.target)?)),
        Data::Ptr(name) => RData::PTR(PTR(absolute(name)?)),
    })
}

fn absolute(name: &Domain) -> Option<Name> {
    Name::from_ascii(format!("{name}.")).ok()
}
