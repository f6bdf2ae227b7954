# mail: plain list
require ["imap4flags", "variables"];
set "v" "";
addflag "v" ["x", "y"];
removeflag "v" "x";
keep :flags "${v}";
