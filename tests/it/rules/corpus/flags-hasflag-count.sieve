# mail: plain list
require ["imap4flags", "relational", "comparator-i;ascii-numeric"];
addflag ["a", "b"];
if hasflag :count "eq" :comparator "i;ascii-numeric" "2" { discard; }
