# mail: plain list
require "imap4flags";
addflag "\\Seen";
if hasflag "\\SEEN" { discard; }
