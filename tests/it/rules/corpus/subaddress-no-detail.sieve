# mail: plain list
require ["subaddress"];
if address :detail "from" "" { discard; }
