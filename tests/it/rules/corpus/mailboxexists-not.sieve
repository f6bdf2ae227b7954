# mail: plain list
require ["mailbox"];
if mailboxexists ["Lists", "Nowhere"] { discard; }
