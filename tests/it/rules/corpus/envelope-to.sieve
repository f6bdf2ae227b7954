# mail: plain list
require "envelope";
if envelope :localpart "to" "jane+tag" { discard; }
