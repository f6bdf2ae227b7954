# mail: plain list
require "envelope";
if envelope "from" "joe@example.net" { discard; }
