# What other servers have marked as spam, into the mailbox for it.
#
# Mail that this server judged spam is there already, before any script of yours runs. Here is for what reached you through
# a server that only writes a word into the subject. Somebody who is never spam stands first.

require ["fileinto", "mailbox", "special-use"];

if address :is :all "from" ["aunt@example.net", "newsletter@example.com"] {
    keep;
    stop;
}

if header :contains "subject" ["[SPAM]", "***SPAM***"] {
    # Wherever your mail program has its Junk mailbox; "Junk" if it has none yet.
    fileinto :specialuse "\\Junk" :create "Junk";
    stop;
}
