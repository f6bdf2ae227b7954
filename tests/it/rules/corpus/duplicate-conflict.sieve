# mail: plain list
require "duplicate";
if duplicate :header "a" :uniqueid "b" { discard; }
