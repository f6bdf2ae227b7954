# mail: plain list
require "date";
if date :zone "+0000" "date" "julian" "61364" { discard; }
