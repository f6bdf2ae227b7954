# mail: plain list spam
require ["fileinto", "imap4flags", "variables", "envelope", "subaddress"];
# Mailing lists into folders of their own, plus-addresses into others, the rest stays.
if header :matches "list-id" "*<*.*" {
    set :lower :upperfirst "list" "${2}";
    fileinto "Lists/${list}";
} elsif envelope :detail :matches "to" "?*" {
    set :upperfirst "detail" "${1}${2}";
    addflag "\\Flagged";
    fileinto "Lists/${detail}";
} elsif allof (header :contains "subject" "won", not address :domain "from" "example.net") {
    discard;
}
