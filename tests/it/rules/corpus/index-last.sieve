# mail: plain list
require "index";
if header :index 1 :last "x-count" "7" { discard; }
