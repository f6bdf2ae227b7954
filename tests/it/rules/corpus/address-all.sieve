# mail: plain list
if address :all :is "from" "JOE@example.net" { discard; }
