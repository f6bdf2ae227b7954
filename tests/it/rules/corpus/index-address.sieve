# mail: plain list
require "index";
if address :index 1 :localpart "received" "x" { discard; }
