require ["fileinto","imap4flags","vacation","date","relational","copy","mailbox"];

if allof ( currentdate :value "ge" "date" "2020-12-24", currentdate :value "le" "date" "2021-01-02" ) { vacation :days 7 :addresses ["jane@example.org"] :subject "Auto: ${subject}" text:
I am away.
.
;
}

if anyof (header :contains ["List-Id"] "rust.example.net", header :contains ["subject"] "[rust-") {
    fileinto "Archive";
    stop;
}
if allof (header :contains ["x-spam-level"] "7", not header :contains ["x-good"] "yes") {
    fileinto "Junk";
    addflag ["\\Seen"];
    stop;
}
if anyof (address :contains ["from"] "@shop.example.net") {
    fileinto :create "shop";
    stop;
}
if anyof (header :is ["x-copy"] "please") {
    redirect :copy "john@example.org";
}
keep;
