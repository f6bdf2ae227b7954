# mail: plain list
require ["relational"];
if header :value "gt" "x-count" "50" { discard; }
