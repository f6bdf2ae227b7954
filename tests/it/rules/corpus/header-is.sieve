# mail: plain list
if header :is "subject" "HELLO, world" { discard; }
