# mail: plain list
require ["subaddress", "envelope"];
if envelope :detail "to" "tag" { discard; }
