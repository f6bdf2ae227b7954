//! Scripts with rules that are dead, and with rules that only look so.

use super::*;

const REQUIRE: &str = "require [\"fileinto\", \"envelope\", \"date\", \"relational\", \"variables\", \"editheader\", \
    \"foreverypart\", \"mime\", \"imap4flags\", \"body\", \"include\", \"ihave\"];\n";

/// `line: message`, one for each; the text begins in line 1.
fn found(text: &str) -> Vec<String> {
    let commands = super::super::syntax::parse(text).expect("readable");
    super::super::compile(format!("{REQUIRE}{text}").as_bytes(), super::super::ScriptKind::Personal)
        .unwrap_or_else(|error| panic!("{error} in {text}"));
    dead(&commands).into_iter().map(|warning| format!("{}: {}", warning.line, warning.message)).collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(found(text), expected, "{text}");
}

fn alive(text: &str) {
    check(text, &[]);
}

#[test]
fn behind_an_end() {
    check("stop;\nkeep;\nkeep;", &["2: this is never reached: line 1 is the end"]);
    check("if true {\n  stop;\n  keep;\n}", &["3: this is never reached: line 2 is the end"]);
    check("if size :over 1 { stop; } else { stop; }\nkeep;", &["2: this is never reached: line 1 is the end"]);
    check("if true { stop; }\nkeep;", &["2: this is never reached: line 1 is the end"]);
    check("foreverypart {\n  break;\n  keep;\n}", &["3: this is never reached: line 2 is the end"]);
    alive("foreverypart { stop; }\nkeep;");
    alive("if size :over 1 { stop; } elsif size :over 2K { keep; }\nkeep;".replace("2K", "0").as_str());
    alive("if false { fileinto \"a\"; stop; }\nkeep;");
}

#[test]
fn shadowed_by_a_rule_that_ends() {
    let taken = |line: u32, by: u32| {
        format!("{line}: this can never match: mail that would match comes to its end in line {by}")
    };
    let shadowed = |first: &str, second: &str| {
        check(&format!("if {first} {{ stop; }}\nif {second} {{ discard; }}"), &[&taken(2, 1)]);
        alive(&format!("if {first} {{ keep; }}\nif {second} {{ discard; }}"));
    };
    let free = |first: &str, second: &str| alive(&format!("if {first} {{ stop; }}\nif {second} {{ discard; }}"));
    shadowed("header :contains \"Subject\" \"ad\"", "header :contains \"subject\" \"AD\"");
    shadowed("header :contains \"subject\" \"ad\"", "header :is \"subject\" \"an ad\"");
    shadowed("header :contains \"subject\" [\"a\", \"b\"]", "header :contains \"subject\" \"xbx\"");
    shadowed("header :contains [\"to\", \"cc\"] \"list\"", "header :contains \"cc\" [\"my list\", \"list2\"]");
    shadowed("header :matches \"subject\" \"[*\"", "header :is \"subject\" \"[x] y\"");
    shadowed("header :matches \"subject\" \"*ad*\"", "header :matches \"subject\" \"* bad ?\"");
    shadowed("exists \"list-id\"", "header :contains \"list-id\" \"x\"");
    shadowed("exists \"list-id\"", "allof(exists \"list-id\", size :over 10)");
    shadowed("address :domain \"from\" \"x.example\"", "address :domain \"from\" \"x.example\"");
    shadowed("size :over 10K", "size :over 20K");
    shadowed("anyof(size :over 10, exists \"x\")", "exists \"x\"");
    shadowed(
        "envelope \"from\" \"a@x.example\"",
        "envelope :contains \"from\" \"@x.example\"".replace("contains", "is").replace("@x", "a@x").as_str(),
    );
    shadowed("not exists \"x\"", "not exists \"x\"");
    shadowed("currentdate :value \"ge\" \"date\" \"2026-12-24\"", "currentdate :value \"gt\" \"date\" \"2026-12-24\"");
    free("header :contains \"subject\" \"ad\"", "header :contains \"subject\" [\"ad\", \"b\"]");
    free("header :contains \"subject\" \"bad\"", "header :contains \"subject\" \"ad\"");
    free("header :is \"subject\" \"ad\"", "header :contains \"subject\" \"ad\"");
    free("header :contains \"subject\" \"ad\"", "header :contains \"x-subject\" \"ad\"");
    free("header :comparator \"i;octet\" :contains \"subject\" \"ad\"", "header :contains \"subject\" \"ad\"");
    free("address :domain \"from\" \"x.example\"", "address :localpart \"from\" \"x.example\"");
    free("allof(exists \"a\", exists \"b\")", "exists \"a\"");
    free("size :over 20K", "size :over 10K");
    free("header :regex \"subject\" \"a\"".replace("regex", "matches").as_str(), "header :contains \"subject\" \"a\"");
    free("header :contains \"subject\" \"${x}\"", "header :contains \"subject\" \"${x}\"");
    free("hasflag \"a\"", "hasflag \"a\"");
    // Two rules together leave nothing for a third.
    check(
        "if size :over 10 { stop; }\nif size :under 11 { stop; }\nif exists \"x\" { keep; }",
        &["3: this is never reached: line 2 is the end"],
    );
}

#[test]
fn taken_by_another_branch() {
    check(
        "if exists \"a\" { keep; }\nelsif header :is \"a\" \"x\" { discard; }",
        &["2: this can never match: mail that would match is taken by line 1"],
    );
    check(
        "if exists \"a\" { keep; }\nelsif not exists \"a\" { discard; }\nelse { stop; }",
        &["3: this is never reached: the branches before it take all mail"],
    );
    check(
        "if exists \"a\" { fileinto \"x\"; stop; }\nelsif exists \"b\" { fileinto \"y\"; }\nif exists \"a\" { keep; }",
        &["3: this can never match: mail that would match comes to its end in line 1"],
    );
    // Mail with a and b went on in the first branch.
    alive("if exists \"a\" { keep; }\nelsif exists \"b\" { stop; }\nif exists \"b\" { discard; }");
}

#[test]
fn what_excludes_itself() {
    let itself = |test: &str| {
        check(&format!("if {test} {{ discard; }}"), &["1: this can never match: it asks for what excludes itself"]);
    };
    itself("allof(exists \"a\", not exists \"a\")");
    itself("allof(header :is \"a\" \"x\", not header :contains \"a\" [\"y\", \"x\"])");
    itself("allof(size :over 10K, size :under 5K)");
    itself("allof(size :over 10, size :under 11)");
    itself("allof(envelope \"from\" \"a@x.example\", envelope \"from\" \"b@x.example\")");
    itself(
        "allof(envelope :domain \"from\" \"x.example\", not envelope :domain \"from\" [\"x.example\", \"y.example\"])",
    );
    itself(
        "allof(currentdate :value \"ge\" \"date\" \"2027-01-07\", currentdate :value \"lt\" \"date\" \"2026-12-24\")",
    );
    itself("allof(currentdate :value \"lt\" \"date\" \"2026-12-24\", currentdate \"date\" \"2026-12-24\")");
    itself("not anyof(exists \"a\", not exists \"a\")");
    itself(
        "allof(not exists \"a\", anyof(header :contains \"a\" \"x\", address \"a\" \"y@x.example\"))"
            .replace("address \"a\"", "header \"a\"")
            .as_str(),
    );
    alive("if allof(header :is \"a\" \"x\", header :is \"a\" \"y\") { discard; }");
    alive(
        "if allof(currentdate :value \"ge\" \"date\" \"2026-12-24\", currentdate :value \"lt\" \"date\" \"2027-01-07\") { discard; }",
    );
    alive("if allof(size :over 10, size :under 12) { discard; }");
    alive(
        "if allof(currentdate :zone \"+0100\" \"hour\" \"01\", currentdate :zone \"+0000\" \"hour\" \"00\") { discard; }",
    );
    check(
        "if exists \"a\" {\n  if not exists \"a\" { discard; }\n}",
        &["2: this can never match: line 1 around it excludes it"],
    );
}

#[test]
fn a_changed_message_is_another() {
    alive("if exists \"a\" { stop; }\naddheader \"a\" \"b\";\nif exists \"a\" { discard; }");
    alive("if exists \"a\" { stop; }\ninclude \"x\";\nif exists \"a\" { discard; }");
    alive("if exists \"a\" { stop; }\nforeverypart { if exists \"a\" { discard; } }");
    check(
        "addheader \"a\" \"b\";\nif exists \"a\" { stop; }\nif exists \"a\" { discard; }",
        &["3: this can never match: mail that would match comes to its end in line 2"],
    );
    // The envelope does not change.
    check(
        "if envelope \"from\" \"x\" { stop; }\naddheader \"a\" \"b\";\nif envelope \"from\" \"x\" { discard; }",
        &["3: this can never match: mail that would match comes to its end in line 1"],
    );
}

#[test]
fn long_scripts_take_bounded_time() {
    let keys: Vec<String> = (0..400).map(|number| format!("\"k{number}\"")).collect();
    let rule = format!("if header :contains \"subject\" [{}] {{ stop; }}\n", keys.join(", "));
    let mut text = rule.repeat(9);
    for number in 0..300 {
        text.push_str(&format!("if allof(exists \"a{number}\", exists \"b{number}\") {{ stop; }}\n"));
    }
    let warnings = found(&text);
    assert_eq!(
        warnings.first().map(String::as_str),
        Some("2: this can never match: mail that would match comes to its end in line 1")
    );
    assert!(warnings.len() <= SIEVE_REACH_WARNINGS_MAX);
    // Each pair of rules doubles the cases.
    let mut text = String::new();
    for number in 0..200 {
        text.push_str(&format!("if anyof(exists \"a{number}\", exists \"b{number}\") {{ if anyof(not exists \"a{number}\", not exists \"b{number}\") {{ stop; }} }}\n"));
    }
    alive(&text);
}
