# Mail to jane+orders@example.org into the mailbox "orders", and so for every other word behind the "+".
#
# Give each shop an address of its own, and see who passes it on. Anybody can write any word there, so only mailboxes that
# you have made are used; the rest stays in INBOX.

require ["envelope", "fileinto", "mailbox", "subaddress", "variables"];

if envelope :detail :matches "to" "*" {
    set :lower "detail" "${1}";
    if mailboxexists "${detail}" {
        fileinto "${detail}";
        stop;
    }
}
