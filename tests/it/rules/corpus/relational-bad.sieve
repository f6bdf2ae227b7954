# mail: plain list
require ["relational"];
if header :value "xx" "x-count" "50" { discard; }
