# mail: plain list
require ["mailbox", "fileinto"];
if mailboxexists "Lists" { fileinto "Lists"; } else { discard; }
