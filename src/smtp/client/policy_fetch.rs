//! The one document we fetch from the web: a domain's policy about its mail servers (RFC 8461 section 3.3). HTTP/1.1, one
//! request, no redirects, over TLS with a certificate that is good for the host.

use super::settings::ClientSettings;
use crate::net::{Connection, NetError, Timeouts, Transfer};
use crate::types::Domain;
use crate::types::limits::{HTTP_HEADER_LINES_MAX, HTTP_LINE_OCTETS_MAX, POLICY_FETCH_SECONDS, POLICY_OCTETS_MAX};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

pub(super) async fn fetch(settings: &ClientSettings, host: &Domain, addresses: &[IpAddr]) -> Result<String, String> {
    let fetching = async {
        let mut last = "the host has no address".to_owned();
        for address in addresses {
            match fetch_from(settings, host, *address).await {
                Ok(text) => return Ok(text),
                Err(why) => last = why,
            }
        }
        Err(last)
    };
    match timeout(Duration::from_secs(POLICY_FETCH_SECONDS), fetching).await {
        Ok(outcome) => outcome,
        Err(_) => Err("it took too long".to_owned()),
    }
}

async fn fetch_from(settings: &ClientSettings, host: &Domain, address: IpAddr) -> Result<String, String> {
    let patience = &settings.patience;
    let timeouts = Timeouts {
        idle: patience.connect,
        write: patience.connect,
        handshake: patience.handshake,
        octets_per_second_min: patience.octets_per_second_min,
    };
    let address = SocketAddr::new(address, settings.https_port);
    let dialled = Connection::dial(address, patience.connect, timeouts, &settings.shutdown).await;
    let mut connection = dialled.map_err(told)?;
    connection.start_tls_towards(host, &settings.verified).await.map_err(told)?;
    let request = format!(
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
    );
    connection.queue(request.as_bytes());
    connection.flush().await.map_err(told)?;
    let length = read_head(&mut connection).await?;
    let body = match length {
        Length::Octets(count) => connection.read_count(count).await.map_err(told)?,
        Length::Chunks => read_chunks(&mut connection).await?,
        Length::UntilTheEnd => read_to_the_end(&mut connection).await?,
    };
    String::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())
}

enum Length {
    Octets(usize),
    Chunks,
    UntilTheEnd,
}

async fn read_line(connection: &mut Connection) -> Result<String, String> {
    let line = connection.read_line(HTTP_LINE_OCTETS_MAX).await.map_err(told)?;
    String::from_utf8(line.octets).map_err(|_| "the answer's header is not UTF-8".to_owned())
}

/// RFC 8461 section 3.3: nothing but 200 counts, and it has to be plain text.
async fn read_head(connection: &mut Connection) -> Result<Length, String> {
    let status = read_line(connection).await?;
    let code = status.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    if code != Some("200") {
        return Err(format!("the answer is: {}", status.chars().take(80).collect::<String>().escape_debug()));
    }
    let (mut length, mut is_text) = (Length::UntilTheEnd, false);
    for _ in 0..HTTP_HEADER_LINES_MAX {
        let line = read_line(connection).await?;
        if line.is_empty() {
            return if is_text { Ok(length) } else { Err("it is not text/plain".to_owned()) };
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err("the answer's header is malformed".to_owned());
        };
        let value = value.trim().to_ascii_lowercase();
        match name.to_ascii_lowercase().as_str() {
            "content-type" => is_text = value.split(';').next().map(str::trim) == Some("text/plain"),
            "transfer-encoding" if value == "chunked" => length = Length::Chunks,
            "transfer-encoding" => return Err("the answer has an encoding we don't know".to_owned()),
            // RFC 9112 section 6.3: chunks go before a length.
            "content-length" if !matches!(length, Length::Chunks) => {
                let octets = value.parse().ok().filter(|octets| *octets <= POLICY_OCTETS_MAX);
                length = Length::Octets(octets.ok_or("it is too long")?);
            }
            _ => {}
        }
    }
    Err("the answer's header does not end".to_owned())
}

/// RFC 9112 section 7.1.
async fn read_chunks(connection: &mut Connection) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line = read_line(connection).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| "a chunk of the answer has no size")?;
        if size == 0 {
            return Ok(body);
        }
        if size > POLICY_OCTETS_MAX || body.len() + size > POLICY_OCTETS_MAX {
            return Err("it is too long".to_owned());
        }
        body.extend(connection.read_count(size).await.map_err(told)?);
        if !read_line(connection).await?.is_empty() {
            return Err("a chunk of the answer does not end where it says".to_owned());
        }
    }
}

async fn read_to_the_end(connection: &mut Connection) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut transfer = Transfer::begin();
    loop {
        body.extend_from_slice(connection.buffered());
        connection.consume(connection.buffered().len());
        if body.len() > POLICY_OCTETS_MAX {
            return Err("it is too long".to_owned());
        }
        match connection.read_more(&mut transfer).await {
            Ok(()) => {}
            Err(NetError::Closed) => return Ok(body),
            Err(error) => return Err(told(error)),
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // what `map_err` hands over
fn told(error: NetError) -> String {
    error.to_string()
}
