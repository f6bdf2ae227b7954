# mail: plain list
if header :matches :comparator "i;octet" "subject" "hello*" { discard; }
