//! Servers that hang, hang up, trickle and put off.

use super::first::{house, house_in, submitted};
use crate::support::peer::{Odd, Peer};

const MESSAGE: &str = "From: jane@example.org\nSubject: hi\n\nhello\n";

#[tokio::test]
async fn what_hangs_at_the_end_is_sent_after_the_next_start() {
    let check = async |place: &'static str, odd: Odd| {
        let peer = Peer::start(&[], move |line, _| line.starts_with(place).then(|| odd.clone())).await;
        let house = house(&peer).await;
        submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
        peer.heard(place, 1).await;
        // The grace of the tests' servers is a second.
        let directory = house.end().await;
        let kind = Peer::kind().await;
        let house = house_in(directory, &kind).await;
        assert_eq!(kind.got(1).await[0].to.len(), 1, "{place}");
        house.idle().await;
        house.close().await;
    };
    tokio::join!(
        check("GREETING", Odd::Hang),
        check("EHLO", Odd::Trickle),
        check("RCPT", Odd::Hang),
        check("DATA", Odd::Trickle),
        check("MAIL", Odd::Drop),
    );
}
