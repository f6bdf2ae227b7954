# mail: plain list
require "editheader";
addheader "X-New" "value";
if header "x-new" "value" { discard; }
