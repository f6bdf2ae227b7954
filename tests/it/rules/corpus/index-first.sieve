# mail: plain list
require "index";
if header :index 1 "x-count" "12" { discard; }
