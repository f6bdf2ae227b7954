# mail: plain list
require ["index", "date"];
if date :zone "+0000" :index 2 "received" "second" "40" { discard; }
