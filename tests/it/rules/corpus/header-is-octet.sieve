# mail: plain list
if header :is :comparator "i;octet" "subject" "HELLO, world" { discard; }
