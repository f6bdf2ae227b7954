# mail: plain list
if header :contains "received" "b.example.net" { discard; }
