# mail: plain list
require "editheader";
deleteheader :index 1 :last "X-Count";
if header "x-count" "7" { discard; }
