# mail: plain list
require ["regex"];
if address :regex :localpart "from" "^j.e$" { discard; }
