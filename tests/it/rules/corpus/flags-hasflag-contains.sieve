# mail: plain list
require "imap4flags";
addflag "label1";
if hasflag :contains "label" { discard; }
