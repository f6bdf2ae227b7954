# mail: plain list
require "date";
if date :originalzone "date" "weekday" "5" { discard; }
