# mail: plain list
require "envelope";
if envelope "subject" "x" { discard; }
