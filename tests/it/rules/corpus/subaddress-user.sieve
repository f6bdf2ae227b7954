# mail: plain list
require ["subaddress"];
if address :user "cc" "jane" { discard; }
