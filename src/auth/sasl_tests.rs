use super::*;
use crate::auth::client::Client;
use crate::auth::password::Password;
use proptest::prelude::*;

const NAME: &str = "jane@example.org";
const PASSWORD: &str = "Secret123";

fn bound() -> ChannelBinding {
    ChannelBinding::new(Some([7; 32]), None)
}

/// Answers as a service would whose only account has this password and that one for an application.
fn service(question: &Question) -> Answer {
    let keys = |password: &str| KeyPair::derive(&Password::prepare(password).unwrap(), b"salt", 4096);
    match question {
        Question::Password { name, password, .. } if name == NAME && password == PASSWORD => Answer::Accepted,
        Question::Keys { name } if name == NAME => Answer::Keys {
            salt: b"salt".to_vec(),
            iterations: 4096,
            candidates: vec![keys(PASSWORD), keys("Application1")],
        },
        Question::Keys { .. } => Answer::Keys { salt: b"pepper".to_vec(), iterations: 4096, candidates: Vec::new() },
        Question::Proof { fitting: Some(_), .. } => Answer::Accepted,
        Question::Password { .. } | Question::Proof { .. } => Answer::Refused,
    }
}

/// One whole login between our client and our server: what the server ended with, and whether the client believes it.
fn converse(mechanism: Mechanism, password: &str, final_data: FinalData, initial: bool) -> (&'static str, bool) {
    let binding = if mechanism == Mechanism::ScramSha256 { ChannelBinding::none() } else { bound() };
    let mut client = Client::new(&[mechanism], NAME, password, &Security::Tls(binding.clone())).unwrap();
    assert_eq!(client.mechanism(), mechanism);
    let mut server = Exchange::new(mechanism, binding, final_data);
    let mut first = initial.then(|| client.initial_response().unwrap()).flatten();
    let mut step = server.start(first.take().as_deref());
    loop {
        step = match step {
            Step::Challenge(challenge) if challenge.is_empty() => {
                server.step(&client.initial_response().unwrap().unwrap())
            }
            Step::Challenge(challenge) => server.step(&client.step(&challenge).unwrap()),
            Step::Ask(question) => server.answer(service(&question)),
            Step::Done(data) => return ("done", client.accepted(data.as_deref()).is_ok()),
            Step::Refused => return ("refused", false),
            Step::Failed(error) => panic!("{error}"),
        };
    }
}

#[test]
fn client_and_server_understand_each_other() {
    for mechanism in Mechanism::ALL {
        for final_data in [FinalData::AsChallenge, FinalData::WithSuccess] {
            for initial in [true, false] {
                let case = format!("{mechanism} {final_data:?} {initial}");
                assert_eq!(converse(mechanism, PASSWORD, final_data, initial), ("done", true), "{case}");
                assert_eq!(converse(mechanism, "Secret124", final_data, initial), ("refused", false), "{case}");
            }
        }
    }
    assert_eq!(converse(Mechanism::ScramSha256, "Application1", FinalData::AsChallenge, true), ("done", true));
}

#[test]
fn plain_messages() {
    let check = |message: &[u8], expected: Result<(Option<&str>, &str, &str), SaslError>| {
        let found = plain(message);
        let found = found.as_ref().map(|(a, n, p)| (a.as_deref(), n.as_str(), p.as_str())).map_err(|error| *error);
        assert_eq!(found, expected);
    };
    check(b"\0tim\0tanstaaftanstaaf", Ok((None, "tim", "tanstaaftanstaaf")));
    check(b"Ursel\0Kurt\0xipj3plmq", Ok((Some("Ursel"), "Kurt", "xipj3plmq")));
    check("\0jörg\0pässword".as_bytes(), Ok((None, "jörg", "pässword")));
    check(b"", Err(SaslError::Syntax));
    check(b"tim", Err(SaslError::Syntax));
    check(b"\0tim", Err(SaslError::Syntax));
    check(b"\0tim\0", Err(SaslError::Syntax));
    check(b"\0\0password", Err(SaslError::Syntax));
    check(b"\0tim\0pass\0word", Err(SaslError::Syntax));
    check(b"\0tim\0\xff\xfe", Err(SaslError::NotUtf8));
}

#[test]
fn login_asks_for_name_and_password() {
    let mut exchange = Exchange::new(Mechanism::Login, bound(), FinalData::AsChallenge);
    assert!(exchange.start(Some(b"")) == Step::Challenge(b"Username:".to_vec()));
    assert!(exchange.step(b"jane") == Step::Challenge(b"Password:".to_vec()));
    let question =
        Question::Password { authorization: None, name: "jane".to_owned(), password: "Secret123".to_owned() };
    assert!(exchange.step(b"Secret123") == Step::Ask(question));
    let mut with_name = Exchange::new(Mechanism::Login, bound(), FinalData::AsChallenge);
    assert!(with_name.start(Some(b"jane")) == Step::Challenge(b"Password:".to_vec()));
}

#[test]
fn an_exchange_ends_once() {
    let mut exchange = Exchange::new(Mechanism::Plain, bound(), FinalData::AsChallenge);
    assert!(exchange.start(Some(b"bad")) == Step::Failed(SaslError::Syntax));
    assert!(exchange.step(b"\0jane\0Secret123") == Step::Failed(SaslError::OutOfOrder));
    assert!(exchange.answer(Answer::Accepted) == Step::Failed(SaslError::OutOfOrder));
    let mut unasked = Exchange::new(Mechanism::ScramSha256, ChannelBinding::none(), FinalData::AsChallenge);
    assert!(unasked.answer(Answer::Accepted) == Step::Failed(SaslError::OutOfOrder));
    let mut long = Exchange::new(Mechanism::Plain, bound(), FinalData::AsChallenge);
    assert!(long.start(Some(&[b'a'; SASL_MESSAGE_OCTETS_MAX + 1])) == Step::Failed(SaslError::TooLong));
    assert!(long.step(b"\0jane\0Secret123") == Step::Failed(SaslError::OutOfOrder));
}

#[test]
fn a_proof_that_fits_nothing_can_not_be_accepted() {
    let mut client = Client::new(&[Mechanism::ScramSha256], "nobody", PASSWORD, &Security::Plain).unwrap();
    let mut exchange = Exchange::new(Mechanism::ScramSha256, ChannelBinding::none(), FinalData::WithSuccess);
    let Step::Ask(question) = exchange.start(client.initial_response().unwrap().as_deref()) else {
        panic!("a question for keys");
    };
    let Step::Challenge(challenge) = exchange.answer(service(&question)) else { panic!("a challenge") };
    let Step::Ask(Question::Proof { fitting, .. }) = exchange.step(&client.step(&challenge).unwrap()) else {
        panic!("a question about the proof");
    };
    assert_eq!(fitting, None);
    assert!(exchange.answer(Answer::Accepted) == Step::Failed(SaslError::OutOfOrder));
}

#[test]
fn what_is_offered_depends_on_the_connection() {
    use Mechanism::{Login, Plain, ScramSha256, ScramSha256Plus};
    let check = |security: Security, plaintext, expected: &[Mechanism]| {
        assert_eq!(offered(&security, plaintext), expected, "{security:?} {plaintext:?}");
    };
    check(Security::Plain, Plaintext::Refused, &[]);
    check(Security::Plain, Plaintext::Allowed, &[ScramSha256, Plain, Login]);
    check(Security::Tls(ChannelBinding::none()), Plaintext::Refused, &[ScramSha256, Plain, Login]);
    check(Security::Tls(bound()), Plaintext::Refused, &[ScramSha256Plus, ScramSha256, Plain, Login]);
}

#[test]
fn mechanisms_are_found_by_name() {
    for mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
    }
    assert_eq!(Mechanism::from_name("plain"), Some(Mechanism::Plain));
    assert_eq!(Mechanism::from_name("CRAM-MD5"), None);
    assert_eq!(Mechanism::from_name(""), None);
}

#[test]
fn base64_lines() {
    let check = |line: &[u8], expected: Result<&[u8], SaslError>| {
        assert_eq!(decode(line).as_deref().map_err(|error| *error), expected);
    };
    check(b"", Ok(b""));
    check(b"=", Ok(b""));
    check(b"YQ==", Ok(b"a"));
    check(encode(b"\0jane\0Secret123").as_bytes(), Ok(b"\0jane\0Secret123"));
    check(b"YQ", Err(SaslError::Syntax));
    check(b"YR==", Err(SaslError::Syntax));
    check(b"Y Q=", Err(SaslError::Syntax));
    check(b"*", Err(SaslError::Syntax));
    check(encode(&[b'a'; SASL_MESSAGE_OCTETS_MAX]).as_bytes(), Ok(&[b'a'; SASL_MESSAGE_OCTETS_MAX]));
    check(encode(&[b'a'; SASL_MESSAGE_OCTETS_MAX + 3]).as_bytes(), Err(SaslError::TooLong));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_messages_make_it_panic(
        messages in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "[nyp],(a=x)?,n=jane@example.org,r=[a-z]{1,9}".prop_map(String::into_bytes),
                "c=[a-zA-Z]{4},r=[a-z]{0,30},p=[A-Za-z+/]{43}=".prop_map(String::into_bytes),
                "\0?jane@example.org\0Secret123".prop_map(String::into_bytes),
            ],
            1..6,
        ),
        mechanism in prop::sample::select(Mechanism::ALL.to_vec()),
        with_initial in any::<bool>(),
    ) {
        let mut exchange = Exchange::new(mechanism, bound(), FinalData::AsChallenge);
        let mut step = exchange.start(with_initial.then(|| messages[0].as_slice()));
        for message in &messages {
            if let Step::Ask(question) = &step {
                step = exchange.answer(service(question));
            }
            // Nothing random is Jane's password; only the one line that says it may get in.
            prop_assert!(!matches!(step, Step::Done(_)) || messages.iter().any(|sent| sent.ends_with(b"Secret123")));
            step = exchange.step(message);
        }
        let _ = decode(&messages[0]);
    }
}
