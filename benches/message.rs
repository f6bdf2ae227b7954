//! What one delivery costs before anything is stored: reading a 20 KB message completely, and building the Sieve engine's
//! view of it, beside mail-parser's own parse of the same message in the same run. `cargo bench --bench message`.
#![allow(clippy::print_stdout)]

mod telling;

use posthouse::message::{Bodies, Parsed, Structure, script_message};
use std::hint::black_box;
use std::time::Instant;
use telling::say;

const ROUNDS: u32 = 5;
const RUNS: u32 = 2000;
const MESSAGE_OCTETS: usize = 20_000;

fn main() {
    let raw = message();
    let structure = Structure::scan(&raw);
    say(format_args!("{} octets, {} parts", raw.len(), structure.parts().len()));
    measure("structure", || drop(black_box(Structure::scan(black_box(&raw)))));
    measure("full analysis", || drop(black_box(Parsed::parse(black_box(&raw)).analyse())));
    measure("script view, bodies decoded", || drop(black_box(script_message(&raw, &structure, Bodies::Decoded))));
    measure("script view, bodies omitted", || drop(black_box(script_message(&raw, &structure, Bodies::Omitted))));
    let parser = mail_parser::MessageParser::default();
    measure("mail-parser's own parse", || drop(black_box(parser.parse(black_box(&raw)))));
}

/// The best of some rounds: the machine's other work only ever makes one slower.
fn measure(name: &str, mut run: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RUNS {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(RUNS));
    }
    say(format_args!("{name:30} {:8.1} µs", best * 1e6));
}

/// A list mail with text in two forms and an attachment.
fn message() -> Vec<u8> {
    let mut raw = String::new();
    for hop in 0..5 {
        raw += &format!(
            "Received: from h{hop}.example.org (h{hop}.example.org [192.0.2.{hop}]) by mx.example.net\r\n \
            with ESMTPS id A{hop} for <jane@example.net>; Fri, 20 Nov 2026 03:31:4{hop} +0100\r\n"
        );
    }
    raw += "From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\nTo: Jane <jane@example.net>, \"Doe, J\" <j@example.net>\r\n\
        Subject: Re: [list] =?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus Wien\r\nDate: Fri, 20 Nov 2026 03:31:42 +0100\r\n\
        Message-ID: <3@example.org>\r\nReferences: <1@x> <2@x>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n--outer\r\n\
        Content-Type: multipart/alternative; boundary=\"inner\"\r\n\r\n--inner\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    for line in 0..40 {
        raw += &format!("Zeile {line} mit gr=C3=BCnem Text und etwas mehr, was man so schreibt.\r\n");
    }
    raw += "--inner\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<body>";
    for line in 0..50 {
        raw += &format!("<p class=3D\"x\">Zeile <b>{line}</b> mit gr=C3=BCnem Text &amp; was man so schreibt.</p>\r\n");
    }
    raw += "--inner--\r\n--outer\r\nContent-Type: application/pdf\r\n\
        Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    while raw.len() < MESSAGE_OCTETS {
        raw += "JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURl\r\n";
    }
    raw += "--outer--\r\n";
    raw.into_bytes()
}
