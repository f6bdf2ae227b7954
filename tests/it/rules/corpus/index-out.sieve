# mail: plain list
require "index";
if header :index 3 "x-count" "7" { discard; }
