# mail: plain list
require "date";
if date :zone "+0000" "date" "hour" "03" { discard; }
