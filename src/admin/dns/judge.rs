//! What DNS answers, compared with what should stand there. All questions are asked at once.

use super::records::{Expected, Need, Right};
use super::{RecordView, Verdict, listed};
use crate::admin::KeyView;
use crate::dns::{Answer, DnsError, Mx, Resolver, Srv};
use crate::policy::is_key_record;
use crate::queue::key_kind;
use crate::store::{DkimKey, DkimKeyState};
use crate::types::limits::{DNS_SHOW_SECONDS, DNS_SHOWN_CHARACTERS_MAX};
use crate::types::{Domain, Network};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What came of one question.
struct Finding {
    verdict: Verdict,
    found: Vec<String>,
    fix: Option<String>,
}

impl Finding {
    fn right(found: Vec<String>) -> Self {
        Self { verdict: Verdict::Green, found, fix: None }
    }

    fn odd(found: Vec<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Orange, found, fix: Some(fix.into()) }
    }

    fn wrong(found: Vec<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Red, found, fix: Some(fix.into()) }
    }

    fn missing(need: Need, fix: impl Into<String>) -> Self {
        match need {
            Need::Must => Self::wrong(Vec::new(), fix),
            Need::May => Self::odd(Vec::new(), fix),
        }
    }
}

/// DNS gave no answer.
struct NoAnswer;

/// No records are an answer too.
fn answered<T>(asked: Result<Answer<T>, DnsError>) -> Result<Vec<T>, NoAnswer> {
    match asked {
        Ok(answer) => Ok(answer.records),
        Err(DnsError::NoSuchName | DnsError::NoData) => Ok(Vec::new()),
        Err(DnsError::Temporary(_)) => Err(NoAnswer),
    }
}

/// The second value: whether there was any answer.
pub(super) async fn judge(
    resolver: Arc<dyn Resolver>,
    host: &Domain,
    expected: Vec<Expected>,
) -> (Vec<RecordView>, bool) {
    let mut views: Vec<RecordView> = expected.iter().map(unasked).collect();
    let mut questions = JoinSet::new();
    for (place, one) in expected.into_iter().enumerate() {
        let question = Question { resolver: Arc::clone(&resolver), host: host.clone() };
        questions.spawn(async move { (place, question.ask(&one).await) });
    }
    let mut online = false;
    let all = async {
        while let Some(answered) = questions.join_next().await {
            if let Ok((place, Ok(finding))) = answered
                && let Some(view) = views.get_mut(place)
            {
                online = true;
                view.verdict = finding.verdict;
                view.found = finding.found.iter().map(|text| shown(text)).collect();
                view.fix = finding.fix;
            }
        }
    };
    // What has no answer by then stays unknown.
    let _ = tokio::time::timeout(Duration::from_secs(DNS_SHOW_SECONDS), all).await;
    (views, online)
}

pub(super) fn unasked(expected: &Expected) -> RecordView {
    RecordView {
        purpose: expected.purpose.to_owned(),
        name: format!("{}.", expected.name),
        kind: expected.kind.to_owned(),
        value: expected.value.clone(),
        verdict: Verdict::Unknown,
        found: Vec::new(),
        fix: None,
    }
}

/// What strangers put into DNS comes to a terminal: without control characters, and not without end.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|one| if one.is_control() { '\u{fffd}' } else { one })
        .take(DNS_SHOWN_CHARACTERS_MAX)
        .collect();
    if text.chars().nth(DNS_SHOWN_CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

struct Question {
    resolver: Arc<dyn Resolver>,
    host: Domain,
}

impl Question {
    async fn ask(&self, expected: &Expected) -> Result<Finding, NoAnswer> {
        let Ok(name) = Domain::parse(&expected.name) else { return Err(NoAnswer) };
        match &expected.right {
            Right::Mx { split } => self.mx(&name, *split).await,
            Right::Addresses => self.addresses().await,
            Right::Reverse => self.reverse().await,
            Right::Spf => self.spf(&name).await,
            Right::Dkim { key, view } => self.dkim(&name, key, view, expected.need).await,
            Right::Dmarc => self.dmarc(&name).await,
            Right::Srv(srv) => self.srv(&name, srv).await,
            Right::TlsReports => {
                let found = self.texts(&name, "v=TLSRPTv1").await?;
                let fix = "without it nobody tells you when others can't reach you by TLS";
                Ok(if found.is_empty() { Finding::missing(expected.need, fix) } else { Finding::right(found) })
            }
        }
    }

    /// Those that begin with a word, whatever its case.
    async fn texts(&self, name: &Domain, version: &str) -> Result<Vec<String>, NoAnswer> {
        let mut texts = answered(self.resolver.txt(name).await)?;
        texts.retain(|text| {
            let (begin, rest) = text.trim_start().split_at_checked(version.len()).unwrap_or_default();
            begin.eq_ignore_ascii_case(version)
                && rest.chars().next().is_none_or(|next| matches!(next, ' ' | '\t' | ';'))
        });
        Ok(texts)
    }

    async fn host_addresses(&self) -> Result<Vec<IpAddr>, NoAnswer> {
        answered(self.resolver.addresses(&self.host).await)
    }

    async fn mx(&self, name: &Domain, split: bool) -> Result<Finding, NoAnswer> {
        let servers = answered(self.resolver.mx(name).await)?;
        let word = |mx: &Mx| format!("{} {}.", mx.preference, mx.exchange.as_ref().map_or("", Domain::as_str));
        let found: Vec<String> = servers.iter().map(word).collect();
        let Some(best) = servers.iter().map(|mx| mx.preference).min() else {
            return Ok(Finding::wrong(found, "without it no mail comes in"));
        };
        let ours = servers.iter().filter(|mx| mx.exchange.as_ref() == Some(&self.host)).map(|mx| mx.preference).min();
        Ok(match ours {
            Some(preference) if preference == best => Finding::right(found),
            Some(_) => Finding::odd(found, "another server gets the mail first"),
            None if servers.iter().all(|mx| mx.exchange.is_none()) => {
                // RFC 7505.
                Finding::wrong(found, "it says that the domain takes no mail at all")
            }
            None if split => {
                Finding::odd(found, "mail comes in at another server: right if that one hands it on to this")
            }
            None => Finding::wrong(found, "mail goes to another server"),
        })
    }

    async fn addresses(&self) -> Result<Finding, NoAnswer> {
        let aliases = answered(self.resolver.cname(&self.host).await)?;
        let addresses = self.host_addresses().await?;
        let found: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if let Some(alias) = aliases.first() {
            // RFC 2181 section 10.3.
            let fix =
                format!("it is an alias of {alias}, and MX records must lead to a name with addresses of its own");
            return Ok(Finding::wrong(found, fix));
        }
        if addresses.is_empty() {
            return Ok(Finding::wrong(found, "give the server's name an A record, AAAA record, or both"));
        }
        let inside: Vec<IpAddr> = addresses.into_iter().filter(|address| is_inside(*address)).collect();
        if !inside.is_empty() {
            return Ok(Finding::wrong(found, format!("{} can't be reached from outside", listed(&inside))));
        }
        Ok(Finding::right(found))
    }

    async fn reverse(&self) -> Result<Finding, NoAnswer> {
        let (mut found, mut bad) = (Vec::new(), Vec::new());
        for address in self.host_addresses().await? {
            let names = answered(self.resolver.ptr(address).await)?;
            let words: Vec<&str> = names.iter().map(Domain::as_str).collect();
            found.push(format!(
                "{address} is {}",
                if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
            ));
            if !names.contains(&self.host) {
                bad.push(address);
            }
        }
        Ok(match (found.is_empty(), bad.is_empty()) {
            (true, _) => Finding::odd(found, "there is no address yet to lead back from"),
            (false, true) => Finding::right(found),
            (false, false) => Finding::odd(
                found,
                format!(
                    "many servers refuse mail from an address without its name: whoever rents you {} can set it to {}",
                    listed(&bad),
                    self.host
                ),
            ),
        })
    }

    async fn spf(&self, name: &Domain) -> Result<Finding, NoAnswer> {
        let found = self.texts(name, "v=spf1").await?;
        let record = match found.as_slice() {
            [] => return Ok(Finding::wrong(found, "without it others can't tell who may send for the domain")),
            [only] => only.to_ascii_lowercase(),
            // RFC 7208 section 4.5.
            _ => return Ok(Finding::wrong(found, "several SPF records are none: make one of them")),
        };
        let terms: Vec<&str> = record.split_whitespace().skip(1).take(DNS_SHOWN_CHARACTERS_MAX).collect();
        if terms.iter().any(|term| matches!(*term, "all" | "+all")) {
            return Ok(Finding::wrong(found, "it lets everybody send: end it in ~all"));
        }
        let addresses = self.host_addresses().await?;
        let mut unnamed = Vec::new();
        for address in &addresses {
            if !self.is_named(name, &terms, *address).await? {
                unnamed.push(*address);
            }
        }
        let elsewhere = terms.iter().find(|term| {
            ["include:", "redirect=", "exists:", "ptr"]
                .iter()
                .any(|known| term.trim_start_matches('+').starts_with(known))
        });
        Ok(match (addresses.is_empty(), unnamed.is_empty(), elsewhere) {
            (true, ..) => Finding::odd(found, "this server has no address that could be in it"),
            (false, true, _) => Finding::right(found),
            (false, false, Some(term)) => Finding::odd(
                found,
                format!("whether {term} names {} can't be told here: put mx in front of it", listed(&unnamed)),
            ),
            (false, false, None) => {
                Finding::wrong(found, format!("it does not name {}: put mx behind v=spf1", listed(&unnamed)))
            }
        })
    }

    /// Whether one of the terms that need no further questions lets the address send (RFC 7208 section 5).
    async fn is_named(&self, name: &Domain, terms: &[&str], address: IpAddr) -> Result<bool, NoAnswer> {
        for term in terms.iter().map(|term| term.trim_start_matches('+')) {
            let (mechanism, value) = term.split_once(':').unwrap_or((term, ""));
            let about = if value.is_empty() { Some(name.clone()) } else { Domain::parse(value).ok() };
            let is_named = match (mechanism, about) {
                ("ip4" | "ip6", _) => value.parse::<Network>().is_ok_and(|network| network.contains(address)),
                ("a", Some(about)) => answered(self.resolver.addresses(&about).await)?.contains(&address),
                ("mx", Some(about)) => {
                    let servers = answered(self.resolver.mx(&about).await)?;
                    servers.iter().any(|mx| mx.exchange.as_ref() == Some(&self.host))
                }
                _ => false,
            };
            if is_named {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn dkim(&self, name: &Domain, key: &DkimKey, view: &KeyView, need: Need) -> Result<Finding, NoAnswer> {
        let found = answered(self.resolver.txt(name).await)?;
        let is_there = found.iter().any(|text| is_key_record(text, key_kind(key.algorithm), &key.public_key));
        let state = match key.state {
            DkimKeyState::Signing => "others can't verify what it signs".to_owned(),
            _ => view.meaning.clone(),
        };
        Ok(match (is_there, found.is_empty()) {
            (true, _) => Finding::right(found),
            (false, true) => Finding::missing(need, state),
            (false, false) => Finding::wrong(found, "DNS has something else in its place: put this there"),
        })
    }

    async fn dmarc(&self, name: &Domain) -> Result<Finding, NoAnswer> {
        let found = self.texts(name, "v=DMARC1").await?;
        let policy = |text: &String| {
            let mut tags = text.split(';').filter_map(|tag| tag.split_once('='));
            tags.find_map(|(tag, value)| (tag.trim() == "p").then(|| value.trim().to_ascii_lowercase()))
        };
        Ok(match found.as_slice() {
            [] => Finding::odd(found, "with it others know what to do with mail that only claims to be yours"),
            [only] => match policy(only).as_deref() {
                Some("none" | "quarantine" | "reject") => Finding::right(found),
                _ => Finding::wrong(found, "it has no policy: p= says none, quarantine or reject"),
            },
            // RFC 9989 section 4.10.
            _ => Finding::wrong(found, "several DMARC records are none: keep one of them"),
        })
    }

    async fn srv(&self, name: &Domain, wanted: &Srv) -> Result<Finding, NoAnswer> {
        let services = answered(self.resolver.srv(name).await)?;
        let word = |srv: &Srv| {
            let target = srv.target.as_ref().map_or("", Domain::as_str);
            format!("{} {} {} {target}.", srv.priority, srv.weight, srv.port)
        };
        let found: Vec<String> = services.iter().map(word).collect();
        if services.is_empty() {
            return Ok(Finding::odd(found, "with it mail programs find the server by themselves"));
        }
        let leads_here = services.iter().any(|srv| srv.target == wanted.target && srv.port == wanted.port);
        Ok(if leads_here { Finding::right(found) } else { Finding::wrong(found, "it leads mail programs elsewhere") })
    }
}

/// Addresses that mean nothing outside (RFC 1918, RFC 4193, and the machine's own).
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}
