# mail: plain list
require ["date"];
if date :zone "+0000" "received" "minute" "31" { discard; }
