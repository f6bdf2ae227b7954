//! What does not compile says where and why, in the text the user wrote.

use super::*;

fn check(source: &str, line: u32, column: u32, message: &str) {
    let error = compile(source.as_bytes(), ScriptKind::Personal).expect_err(source);
    assert_eq!((error.line, error.column, error.message.as_str()), (line, column, message), "{source}");
}

#[test]
fn errors_of_the_grammar_name_line_and_column() {
    check("\u{feff}keep", 1, 5, "\";\" is missing here, at the end of \"keep\"");
    check("keep; \u{feff}", 1, 7, "unexpected character '\\u{feff}'");
    check("redirect 'a@example.net';", 1, 10, "strings stand between \"…\", not '");
    check("redirect “a@example.net”;", 1, 10, "strings stand between \"…\", not “");
    check("keep", 1, 5, "\";\" is missing here, at the end of \"keep\"");
    // Where it should stand, however far below the next word is.
    check("keep\r\n\r\n# the end\r\n", 1, 5, "\";\" is missing here, at the end of \"keep\"");
    check("require \"fileinto\";\nfileinto \"a\"\nkeep;\n", 2, 13, "\";\" is missing here, at the end of \"fileinto\"");
    check("if true {\n  stop\n}\nkeep;", 2, 7, "\";\" is missing here, at the end of \"stop\"");
    check("if true {\n  keep text:\nx\n.\n}", 5, 1, "\";\" is missing here, at the end of \"keep\"");
    check("keep text:\nx\n.\nkeep;", 4, 1, "\";\" is missing here, at the end of \"keep\"");
    check("require [\"fileinto\"\n\nkeep;", 1, 20, "\",\" or \"]\" is missing here, in a list");
    check("if anyof(true,\n true\n\n{ keep; }", 2, 6, "\",\" or \")\" is missing here, behind a test");
    check("if anyof(true,\n", 1, 15, "a test is expected here");
    check("if true {\n if true {\n keep;\n }\n\n", 1, 9, "the block that begins here is never closed with \"}\"");
    check("if true { keep; } else if true { stop; }", 1, 24, "\"else if\" is written \"elsif\"");
    check("iff header \"a\" \"b\" { keep; }", 1, 1, "unknown command \"iff\"");
    check("keep;\nkepp;", 2, 1, "unknown command \"kepp\"");
    check("if tru { }", 1, 4, "unknown test \"tru\"");
    check("fileinto \"x\";", 1, 1, "\"fileinto\" needs require \"fileinto\"");
    check("redirect :copy \"a@example.net\";", 1, 10, "\":copy\" needs require \"copy\"");
    check("keep; require \"fileinto\";", 1, 7, "\"require\" must come before everything else");
    check("else { keep; }", 1, 1, "\"else\" without an \"if\" before it");
    check("if true { keep; } else { } elsif true { }", 1, 28, "\"elsif\" without an \"if\" before it");
    check("if true keep;", 1, 1, "\"if\" needs a block in braces");
    check("if true;", 1, 1, "\"if\" needs a block in braces");
    check("if { keep; }", 1, 1, "\"if\" takes one test");
    check("keep { }", 1, 1, "\"keep\" takes no block");
    check("keep true;", 1, 6, "\"keep\" takes no test");
    check("if not { }", 1, 4, "\"not\" takes one test");
    check("if not (true, ) { }", 1, 15, "a test is expected here, not \")\"");
    check("if anyof { }", 1, 4, "\"anyof\" needs tests in parentheses");
    check("if true true { }", 1, 9, "\"true\" takes no test");
    check("redirect;", 1, 1, "\"redirect\" needs a string");
    check("redirect 5;", 1, 10, "\"redirect\" needs a string");
    check("redirect \"a@example.net\" \"b\";", 1, 26, "\"redirect\" takes no further argument");
    check("redirect \"a@example.net\" :copy;", 1, 26, "\":copy\" must stand before the other arguments");
    check("if header :is :contains \"a\" \"b\" { }", 1, 15, "\":contains\" conflicts with another tag of \"header\"");
    check("if header :over \"a\" \"b\" { }", 1, 11, "\"header\" has no \":over\"");
    check("if header :comparator 5 \"a\" \"b\" { }", 1, 11, "\":comparator\" needs a string");
    check("if header :comparator \"i;basic\" \"a\" \"b\" { }", 1, 11, "the comparator \"i;basic\" is not supported");
    check("if header \"a b\" \"b\" { }", 1, 11, "this is no name for a header field");
    check("if size 5 { }", 1, 9, "\"size\" takes no further argument");
    check("if header \"a\" [\"b\" \"c\"] { }", 1, 19, "\",\" or \"]\" is missing here, in a list");
    check("if header \"a\" [] { }", 1, 16, "a string is expected in a list, not \"]\"");
    check("if true { keep;", 1, 9, "the block that begins here is never closed with \"}\"");
}

#[test]
fn errors_of_extensions_name_line_and_column() {
    check(
        "require \"regex\";\nif header :regex \"a\" \"(\" { }",
        2,
        22,
        "this is no regular expression: (: Parsing error at position 1: Opening parenthesis without closing parenthesis",
    );
    check(
        "require \"regex\";\nif header :regex \"a\" \"(a)\\\\1\" { }",
        2,
        22,
        "the regular expression refers back or uses an escape we don't take",
    );
    check(
        "require [\"relational\", \"date\"]; if date :value \"gg\" \"date\" \"hour\" \"1\" { }",
        1,
        41,
        "expected \"gt\", \"ge\", \"lt\", \"le\", \"eq\" or \"ne\"",
    );
    check("require \"date\"; if currentdate \"century\" \"1\" { }", 1, 32, "a date has no part \"century\"");
    check(
        "require \"date\"; if currentdate :zone \"CET\" \"hour\" \"1\" { }",
        1,
        32,
        "a zone is written as +hhmm or -hhmm",
    );
    check("require \"envelope\"; if envelope \"orcpt\" \"x\" { }", 1, 33, "\"orcpt\" needs require \"envelope-dsn\"");
    check("require \"envelope\"; if envelope \"auth\" \"x\" { }", 1, 33, "the envelope has no part \"auth\"");
    check("require \"foreverypart\"; break;", 1, 25, "\"break\" outside of \"foreverypart\"");
    check(
        "require [\"extracttext\", \"variables\"]; extracttext \"x\";",
        1,
        39,
        "\"extracttext\" works in \"foreverypart\" only",
    );
    check(
        "require [\"include\", \"variables\"]; set \"n\" \"x\"; include \"${n}\";",
        1,
        56,
        "no variable may stand here",
    );
    check(
        "require [\"include\", \"variables\"]; set \"n\" \"x\"; global \"n\";",
        1,
        55,
        "the variable \"n\" was used before it was declared global",
    );
    check("require [\"fileinto\"]; fileinto \"a//b\";", 1, 32, "the mailbox name has an empty level");
    check("require \"variables\"; set \"1x\" \"y\";", 1, 26, "\"1x\" is no name for a variable");
    check(
        "require \"variables\"; set :lower :upper \"x\" \"y\";",
        1,
        33,
        "\":upper\" conflicts with another tag of \"set\"",
    );
    check("require \"editheader\"; addheader \"a:\" \"b\";", 1, 33, "this is no name for a header field");
    check("require \"vacation\"; vacation :create \"x\";", 1, 30, "\":create\" needs require \"mailbox\"");
    check("require [\"vacation\", \"mailbox\"]; vacation :create \"x\";", 1, 43, "\":create\" needs \":fcc\"");
    check("require \"enotify\"; notify \"xmpp:x\";", 1, 27, "only a \"mailto:\" address can be notified");
    check("require \"index\"; if header :last \"a\" \"b\" { }", 1, 28, "\":last\" needs \":index\"");
    check("require \"mime\"; if header :type \"a\" \"b\" { }", 1, 27, "\":type\" needs \":mime\"");
}

#[test]
fn what_is_no_text_is_refused_where_it_is() {
    let check = |source: &[u8], line: u32, column: u32, message: &str| {
        let error = compile(source, ScriptKind::Personal).expect_err("broken");
        assert_eq!((error.line, error.column, error.message.as_str()), (line, column, message));
    };
    check(b"keep;\n# \xff", 2, 3, "this is no UTF-8");
    check(b"keep;\nkeep\0;", 2, 5, "a NUL is no character of a script");
    check(b"\0\xff", 1, 1, "a NUL is no character of a script");
    check(&vec![b' '; 70_000], 1, 1, "the script is longer than 65536 octets");
    assert!(compile(&vec![b' '; 70_000], ScriptKind::Compiled).is_ok());
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let examined = |text: &str| examine(text.as_bytes(), ScriptKind::Personal).expect("compiles");
    let message = "this is never reached: line 1 is the end".into();
    assert_eq!(examined("stop;\nkeep;\nkeep;").warnings, [Warning { line: 2, column: 1, message }]);
    let script = examined("require \"include\";\ninclude :global :optional \"a\";").script;
    let expected = IncludeUse { place: IncludePlace::Global, name: "a".into(), optional: true, line: 2, column: 1 };
    assert_eq!(script.includes(), [expected]);
    // What `ihave` lets pass is told as well, in the order of the text.
    let examination = examined("require \"ihave\";\nbogus \"x\";\nstop;\nkeep;\n");
    let lines: Vec<u32> = examination.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [2, 4]);
}

#[test]
fn names_that_are_written_out_are_told() {
    let text = "require [\"fileinto\", \"mailbox\", \"variables\", \"copy\", \"extlists\"];\n\
        redirect :copy \"a@example.net\";\n  redirect \"${x}@example.net\"; redirect :list \":addrbook:own\";\n\
        fileinto \"A\"; fileinto :create \"B\"; fileinto \"C${x}\";\n\
        if mailboxexists [\"D\", \"${x}\"] { fileinto \"D\"; }\nfileinto \"E\";\n";
    let examination = examine(text.as_bytes(), ScriptKind::Personal).expect("compiles");
    let named = |name: &str, line: u32, column: u32| NamedUse { name: name.to_owned(), line, column };
    assert_eq!(examination.redirects, [named("a@example.net", 2, 1)]);
    assert_eq!(examination.mailboxes, [named("A", 4, 1), named("E", 6, 1)]);
}
